"""In which order a body that is too long loses what it holds."""

import json
from typing import Any

import pytest

from lambdas.domain.webhooks.payload_limit import MAX_BODY, shrunk_data, shrunk_source

TAGS = {"campaign": ["autumn"]}


def data(*, diagnostic: int = 10, to: int = 10, subject: int = 10, tags: int = 0) -> dict[str, Any]:
    """An event's data whose parts have so many characters."""
    return {
        "instance_id": "i1",
        "binding_id": "b1",
        "message_id": "m-1",
        "mail": {
            "sent_at": None,
            "to": ["t" * to] * 50,
            "subject": "s" * subject,
            "tags": TAGS | ({"long": ["x" * tags]} if tags else {}),
        },
        "recipients": [{"email": "e@x.example", "status": "5", "diagnostic": "d" * diagnostic}] * 50,
        "bounce": {"class": "permanent"},
    }


def shrunk(**sizes: int) -> dict[str, Any]:
    """Such data as it is sent."""
    given = data(**sizes)
    given["recipients"] = [dict(recipient) for recipient in given["recipients"]]
    before = json.dumps(given)
    written = shrunk_data(given, json.dumps)
    assert json.dumps(given) == before  # what is logged or sent elsewhere is not shortened with it
    assert len(written.encode()) <= MAX_BODY
    found: dict[str, Any] = json.loads(written)
    return found


def facts(found: dict[str, Any]) -> tuple[int, int, int, int, bool]:
    """The length of a diagnostic, and of the lists, the subject's, and whether the tags are there."""
    mail, recipients = found["mail"], found["recipients"]
    diagnostic = recipients[0]["diagnostic"]
    return (
        -1 if diagnostic is None else len(diagnostic),
        len(mail["to"]),
        len(recipients),
        len(mail["subject"]),
        mail["tags"] != {},
    )


@pytest.mark.parametrize(
    ("sizes", "left"),
    [
        ({"diagnostic": 900}, (200, 50, 50, 10, True)),
        ({"diagnostic": 900, "to": 150}, (-1, 50, 50, 10, True)),
        ({"diagnostic": 900, "to": 400}, (-1, 0, 50, 10, True)),
        ({"diagnostic": 900, "to": 400, "subject": 17_500}, (-1, 0, 20, 17_500, True)),
        ({"diagnostic": 900, "to": 400, "subject": 19_000}, (-1, 0, 1, 200, True)),
        ({"diagnostic": 900, "to": 400, "subject": 19_000, "tags": 20_000}, (-1, 0, 1, 200, False)),
    ],
)
def test_diagnostics_go_first_then_lists_then_the_subject_and_an_applications_tags_last(
    sizes: dict[str, int], left: tuple[int, int, int, int, bool]
) -> None:
    """Only as much as is necessary, and marked."""
    found = shrunk(**sizes)
    assert facts(found) == left
    assert found["truncated"] is True
    assert found["bounce"] == {"class": "permanent"}


def test_a_body_that_cannot_be_made_to_fit_says_what_it_was_about() -> None:
    """A notice with a long text, say."""
    given = {"instance_id": "i1", "binding_id": None, "message_id": "m-1", "text": "x" * 30_000}
    assert json.loads(shrunk_data(given, json.dumps)) == {
        "instance_id": "i1",
        "binding_id": None,
        "message_id": "m-1",
        "truncated": True,
    }


def source(
    *,
    headers: int = 0,
    common: int = 0,
    diagnostic: int = 0,
    to: int = 0,
    tags: int = 0,
    own: int = 5,
    listed: int = 50,
) -> dict[str, Any]:
    """SES's event whose parts have so many characters."""
    return {
        "eventType": "Bounce",
        "mail": {
            "destination": ["t" * to] * 50,
            "headers": [{"name": "X-Long", "value": "h" * headers}, {"name": "X-Metadata", "value": "o" * own}, 7],
            "commonHeaders": {"subject": "c" * common},
            "tags": {"campaign": ["x" * tags]},
        },
        "bounce": {"bouncedRecipients": [{"emailAddress": "e@x", "diagnosticCode": "d" * diagnostic}] * listed},
    }


@pytest.mark.parametrize(
    ("sizes", "left"),
    [
        ({"headers": 20_000}, ("headers", "commonHeaders", "diagnostics", "destination", "recipients", "tags")),
        (
            {"headers": 20_000, "common": 20_000},
            ("headers", "diagnostics", "destination", "recipients", "tags"),
        ),
        ({"common": 20_000, "diagnostic": 900}, ("headers", "destination", "recipients", "tags")),
        ({"diagnostic": 900, "to": 400}, ("headers", "recipients", "tags")),
        ({"diagnostic": 900, "to": 400, "listed": 120}, ("headers", "tags")),
        ({"diagnostic": 900, "to": 400, "tags": 20_000}, ()),
        ({"diagnostic": 900, "to": 400, "own": 20_000}, ()),
    ],
)
def test_ses_s_text_loses_headers_first_and_an_applications_own_last(
    sizes: dict[str, int], left: tuple[str, ...]
) -> None:
    """django-anymail keeps an application's tags in two of the headers."""
    given = source(**sizes)
    written = shrunk_source(json.dumps(given), lambda text: text)
    assert len(written.encode()) <= MAX_BODY
    found = json.loads(written)
    mail, recipients = found["mail"], found["bounce"]["bouncedRecipients"]
    whole = {
        "headers": mail["headers"] == [{"name": "X-Metadata", "value": "ooooo"}],
        "commonHeaders": "commonHeaders" in mail,
        "diagnostics": recipients[0]["diagnosticCode"] == "d" * sizes.get("diagnostic", 0),
        "destination": mail["destination"] != [],
        "recipients": len(recipients) == 50,
        "tags": mail["tags"] != {},
    }
    if sizes.get("diagnostic"):
        assert recipients[0]["diagnosticCode"] == "d" * 200
    assert tuple(name for name, kept in whole.items() if kept) == left
    assert mail["headersTruncated"] is True
    assert mail["headers"] == [] or "headers" in left
    assert len(recipients) in ({20, 50} if "recipients" not in left else {50})
    assert found["eventType"] == "Bounce"


def test_ses_s_text_that_fits_stays_as_ses_wrote_it() -> None:
    """To the blank; up to the limit."""
    text = json.dumps({"eventType": "Bounce", "x": ""}, indent=1)
    exact = text.replace('""', '"' + "x" * (MAX_BODY - len(text)) + '"')
    assert len(exact) == MAX_BODY
    assert shrunk_source(exact, lambda source: source) == exact


@pytest.mark.parametrize(
    "text", ['{"mail": 1' + " " * 30_000, "[" * 100_000, "9" * 30_000], ids=["cut off", "deep", "long number"]
)
def test_a_long_text_that_only_another_parser_reads_becomes_an_empty_event(text: str) -> None:
    """Nothing of it is known; the receiver gets JSON all the same."""
    assert shrunk_source(text, lambda source: source) == "{}"


def test_the_kind_of_an_event_that_cannot_be_made_to_fit_is_cut_too() -> None:
    """Its name may be the long part."""
    written = shrunk_source(json.dumps({"eventType": "X" * 30_000, "mail": "no object"}), lambda source: source)
    assert json.loads(written) == {"eventType": "X" * 200, "mail": {"destination": [], "headersTruncated": True}}
