"""What delivery logs of an attempt: the ids that a trace follows."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lambdas.domain.webhooks.attempt import Response
from lambdas.domain.webhooks.batch import batch_id
from tests.delivery.world import OK, START, World, batch, delivery

EVENTS = (replace(delivery("a"), message_id="mail-a"), delivery("b"))


def facts(caplog: pytest.LogCaptureFixture, message: str) -> dict[str, Any]:
    """What stands in the one line of that message."""
    names = (
        *("instance_id", "webhook_id", "message_id", "delivery_id", "type", "deliveries", "message_ids"),
        *("attempt", "status", "ms", "count", "messages"),
    )
    [line] = [vars(record) for record in caplog.records if record.getMessage() == message]
    return {name: line[name] for name in names if name in line}


@pytest.mark.parametrize(("status", "message"), [(204, "attempt succeeded"), (500, "attempt failed")])
def test_a_batch_is_logged_with_the_ids_of_its_events(
    status: int, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    """And with the mails' where they are known: one line for all of them."""
    world = World()
    world.webhook(batch=10)

    def answer() -> Response:
        world.now += timedelta(seconds=0.25)
        return Response(status=status)

    world.behaviours["w1"] = answer
    with caplog.at_level("INFO"):
        world.deliver(replace(batch("w1", attempt=2), deliveries=EVENTS, fixed=True))
    assert facts(caplog, message) == {
        "instance_id": "i1",
        "webhook_id": "w1",
        "message_id": None,
        "delivery_id": batch_id(EVENTS),
        "type": "batch",
        "deliveries": ["a", "b"],
        "message_ids": ["mail-a"],
        "attempt": 2,
        "status": str(status),
        "ms": 250,
    }


@pytest.mark.parametrize(("answer", "message"), [(OK, "attempt succeeded"), (Response(status=410), "attempt failed")])
def test_a_single_attempt_is_logged_with_its_mail(
    answer: Response, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Of whatever outcome."""
    world = World()
    world.webhook()
    world.behaviours["w1"] = lambda: answer
    with caplog.at_level("INFO"):
        world.deliver(replace(batch("w1"), deliveries=EVENTS[:1]))
    assert facts(caplog, message) == {
        "instance_id": "i1",
        "webhook_id": "w1",
        "message_id": "mail-a",
        "delivery_id": "a",
        "type": "email.bounced",
        "attempt": 1,
        "status": str(answer.status),
        "ms": 0,
    }


def test_what_is_parked_is_logged_by_deliveries_and_messages(caplog: pytest.LogCaptureFixture) -> None:
    """As it is counted."""
    world = World()
    world.webhook()
    world.behaviours["w1"] = lambda: Response(status=410)
    with caplog.at_level("INFO"):
        world.deliver(batch("w1", "a", attempt=1), batch("w1", "b", "c", attempt=2))
    assert facts(caplog, "deliveries parked") == {"instance_id": "i1", "webhook_id": "w1", "count": 3, "messages": 2}
    assert world.counted["DeliveriesParked"] == 3


def test_the_time_to_a_first_attempt_is_that_of_the_event_less_what_was_gathered_on_purpose() -> None:
    """Never less than nothing; of many, up to a hundred are recorded."""
    world = World(now=START + timedelta(seconds=90))
    world.webhook(batch=10, batch_seconds=60)
    fixed = replace(batch("w1", "a"), fixed=True)
    early = replace(batch("w1", "b", created_at=START + timedelta(seconds=80)), fixed=True)
    world.deliver(fixed, early)
    assert sorted(world.seconds["EventToWebhookSeconds"]) == [0.0, 30.0]
    assert (world.counted["FirstAttempts"], world.counted["FirstAttemptsLate"]) == (2, 0)
