"""Asking for a replay: the last hours, since a date and time, or one webhook-id; errors name the field."""

from datetime import UTC, datetime, timedelta

import pytest

from lambdas.portal.errors import Refusal
from lambdas.portal.pages.replays import asked_for
from tests.portal.world import World

NOW = datetime(2026, 11, 21, 12, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"hours": "6"}, ("", NOW - timedelta(hours=6), "6 hours")),
        ({"hours": "336"}, ("", NOW - timedelta(days=14), "336 hours")),
        ({"hours": "1", "since": "2026-11-20T04:30"}, ("", datetime(2026, 11, 20, 4, 30, tzinfo=UTC), None)),
        ({"since": "2026-11-20 04:30:15"}, ("", datetime(2026, 11, 20, 4, 30, 15, tzinfo=UTC), None)),
        ({"since": "2026-11-21T12:00"}, ("", datetime(2026, 11, 21, 12, 0, tzinfo=UTC), None)),
        ({"since": "2026-11-07T12:00"}, ("", datetime(2026, 11, 7, 12, 0, tzinfo=UTC), None)),
        ({"hours": "1", "delivery": " msg_1 "}, ("msg_1", NOW - timedelta(days=14), "msg_1")),
    ],
)
def test_what_a_form_asks_for(form: dict[str, str], expected: tuple[str, datetime, str | None]) -> None:
    """A browser always sends the list's value: a time or an id that somebody filled in counts before it."""
    delivery, since, words = asked_for(form, now=NOW)
    assert (delivery, since) == expected[:2]
    assert words == (expected[2] or f"all since {since:%d %b %Y %H:%M} UTC")


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"since": "yesterday"}, "The field since must be a date and a time in UTC"),
        ({"since": "2026-11-20"}, "The field since must be a date and a time in UTC"),
        ({"since": "2026-11-20T04:30+02:00"}, "The field since must be a date and a time in UTC"),
        ({"since": "\u0662026-11-20T04:30"}, "The field since must be a date and a time in UTC"),
        ({"since": "2026-02-30T04:30"}, "The field since is not a date and time that exists"),
        ({"since": "2026-11-20T24:30"}, "The field since is not a date and time that exists"),
        (
            {"since": "2026-11-21T12:01"},
            "The field since is in the future: 21 Nov 2026 12:01 UTC. It is 21 Nov",
        ),
        ({"since": "9999-12-31T23:59"}, "The field since is in the future"),
        ({"since": "2026-11-07T11:58"}, "The field since is too long ago: deliveries are kept for 14 days"),
        ({"since": "0001-01-01T00:00"}, "The field since is too long ago"),
        ({"since": "2026-11-20T04:30", "delivery": "msg_1"}, "Fill in the field since or the field delivery"),
        ({"delivery": "x" * 101}, "The field delivery must be a webhook-id"),
        ({"delivery": "msg\u0000"}, "The field delivery must be a webhook-id"),
        ({"hours": "0"}, "The field hours must be a number from 1 to 336"),
        ({"hours": "337"}, "The field hours"),
        ({"hours": ""}, "The field hours"),
        ({}, "The field hours"),
    ],
)
def test_a_form_that_asks_for_nothing_possible_is_refused_by_name(form: dict[str, str], says: str) -> None:
    """With what would be right."""
    with pytest.raises(Refusal, match=says.replace(".", r"\.")):
        asked_for(form, now=NOW)


def test_a_replay_since_a_time_is_begun_and_recorded(world: World) -> None:
    """The page offers no time that the server refuses."""
    world.tenant("i1")
    world.webhook("i1", "w1")
    caller = world.caller("i1")
    page = caller.get("/instances/i1/webhooks/w1").text
    oldest = (world.now - timedelta(days=14) + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M")
    assert f'name="since" min="{oldest}"' in page
    assert caller.post("/instances/i1/webhooks/w1/replay", {"hours": "1", "since": oldest}).status == 303
    replay = world.table.replay("i1", "w1")
    assert replay is not None
    assert replay.since == datetime.fromisoformat(oldest).replace(tzinfo=UTC)
    (action,) = world.table.actions("i1")
    assert action.what.startswith("webhook replay of all since ")
    assert len(world.queued("replays")) == 1
