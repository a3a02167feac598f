"""How pages write times, spans, shares and numbers, and how files are served."""

import gzip
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from lambdas.portal.errors import NotFound
from lambdas.portal.http import Response
from lambdas.portal.rendering import Renderer, ago, assets_in, duration, moment, percent

NOW = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "less than a minute"),
        (59.9, "less than a minute"),
        (60, "1 minute"),
        (119, "1 minute"),
        (120, "2 minutes"),
        (3_599, "59 minutes"),
        (3_600, "1 hour"),
        (7_200, "2 hours"),
        (86_399, "23 hours"),
        (86_400, "1 day"),
        (3 * 86_400, "3 days"),
    ],
)
def test_a_span_is_in_its_largest_whole_unit(seconds: float, words: str) -> None:
    """Enough for a person."""
    assert duration(timedelta(seconds=seconds)) == words
    assert ago(NOW - timedelta(seconds=seconds), NOW) == f"{words} ago"


def test_moments_are_in_utc() -> None:
    """Whatever zone they were kept in; none is nothing."""
    assert moment(NOW) == "21 Nov 2026 05:00 UTC"
    assert moment(datetime(2026, 11, 21, 1, 0, tzinfo=timezone(timedelta(hours=-5)))) == "21 Nov 2026 06:00 UTC"
    assert (moment(None), ago(None, NOW)) == ("", "")


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0 %"), (0.0299, "2.99 %"), (0.000412, "0.0412 %"), (1, "100 %"), (0.123456, "12.3 %")]
)
def test_a_share_has_three_digits(share: float, text: str) -> None:
    """As a percentage."""
    assert percent(share) == text


def test_a_file_s_name_holds_its_content_s_hash(tmp_path: Path) -> None:
    """So that it may be kept for ever; other kinds of files are not served."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "x.css").write_text("body {}")
    (tmp_path / "b" / "y.js").write_text("1")
    (tmp_path / "b" / "z.svg").write_text("<svg/>")
    (tmp_path / "b" / "secret.txt").write_text("no")
    assets = assets_in([tmp_path / "a", tmp_path / "none", tmp_path / "b"])
    assert assets.names == {
        "x.css": "x.62368a1a2925.css",
        "y.js": "y.6b86b273ff34.js",
        "z.svg": "z.d4dc56669143.svg",
    }
    types = {
        "x.css": "text/css; charset=utf-8",
        "y.js": "text/javascript; charset=utf-8",
        "z.svg": "image/svg+xml",
    }
    for name, type_ in types.items():
        body = next(tmp_path.glob(f"*/{name}")).read_bytes()
        plain = assets.get(assets.names[name], compressed=False)
        assert plain == Response(body=body, content_type=type_, headers={"vary": "accept-encoding"}, cacheable=True)
        packed = assets.get(assets.names[name], compressed=True)
        assert isinstance(packed.body, bytes)
        assert gzip.decompress(packed.body) == body
        assert packed.headers == {"vary": "accept-encoding", "content-encoding": "gzip"}
        assert packed.body == assets.get(assets.names[name], compressed=True).body
    for name in ("x.css", "secret.txt", "x.62368a1a2926.css", ""):
        with pytest.raises(NotFound):
            assets.get(name, compressed=False)


def test_templates_escape_and_miss_nothing(tmp_path: Path) -> None:
    """A value that a page forgot is an error, not an empty place."""
    environment = Renderer(sessions=None, assets=assets_in([tmp_path]), sign_in="links")._environment  # type: ignore[arg-type]
    made = environment.from_string(
        "  {% if a %}\n{{ a }}|{{ n | number }}|{{ w | words }}|{{ m | moment }}\n  {% endif %}\n"
    )
    assert (
        made.render(a="<b>", n=12345, w="delivery_delay", m=NOW)
        == "&lt;b&gt;|12,345|delivery delay|21 Nov 2026 05:00 UTC\n"
    )
    assert environment.from_string("{{ p | percent }}|{{ t | ago(n) }}").render(p=0.5, t=NOW, n=NOW) == (
        "50 %|less than a minute ago"
    )
    with pytest.raises(Exception, match="'b' is undefined"):
        environment.from_string("{{ b }}").render()
