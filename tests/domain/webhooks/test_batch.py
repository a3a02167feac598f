"""Batches: which events go together, under which webhook-id, in which body."""

import json
from datetime import UTC, datetime, timedelta
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.webhooks.batch import (
    BATCHED_FORMATS,
    MAX_AGE_APART,
    MAX_BATCH,
    MAX_BODY,
    MAX_GATHERING,
    REFUSED,
    TOO_LARGE,
    batch_id,
    gathering_delay,
    halves,
    in_batches,
    render_batch,
)
from lambdas.domain.webhooks.delivery import Delivery, delivery_id
from lambdas.domain.webhooks.payload import render_notice, test_notice
from lambdas.domain.webhooks.payload_limit import MAX_BODY as MAX_SINGLE
from lambdas.domain.webhooks.webhook import NotificationFormat, Webhook, WebhookId

NOW = datetime(2026, 11, 21, 4, tzinfo=UTC)
STANDARD, CLOUDEVENTS = NotificationFormat.STANDARD_WEBHOOKS, NotificationFormat.CLOUDEVENTS


def delivery(number: int = 0, *, size: int = 0, format_: NotificationFormat = STANDARD, age: float = 0) -> Delivery:
    """A delivery of an event, as the renderer writes it or of *size* bytes, fanned out *age* seconds ago."""
    webhook = Webhook(id=WebhookId("w1"), instance_id="i1", format=format_)
    notice = test_notice(test_id=str(number), instance_id="i1", binding_id=None, now=NOW + timedelta(seconds=number))
    rendered = render_notice(notice, webhook, topic_arn="", now=NOW - timedelta(seconds=age))
    if not size:
        return rendered
    body = '{"type":"x"}'
    return Delivery(
        id=delivery_id(webhook.id, str(number)),
        type="x",
        timestamp=NOW,
        created_at=NOW,
        format=format_,
        body=body[:-1] + " " * (size - len(body)) + "}",
        headers={},
    )


def test_a_batch_holds_each_single_body_with_its_own_id() -> None:
    """And the time of the first of its events, whatever their order."""
    first, second = delivery(1), delivery(2)

    batch = render_batch([second, first])

    assert json.loads(batch.body) == {
        "type": "batch",
        "timestamp": "2026-11-21T04:00:01.000Z",
        "data": [{"id": one.id, **json.loads(one.body)} for one in (second, first)],
    }
    assert (batch.type, batch.headers) == ("batch", {"content-type": "application/json"})


def test_a_batch_of_cloudevents_is_an_array_of_structured_events() -> None:
    """As CloudEvents specifies, under its content type."""
    events = [delivery(number, format_=CLOUDEVENTS) for number in range(3)]

    batch = render_batch(events)

    assert json.loads(batch.body) == [json.loads(event.body) for event in events]
    assert [event["id"] for event in json.loads(batch.body)] == [event.id for event in events]
    assert batch.headers == {"content-type": "application/cloudevents-batch+json"}


def test_the_id_of_a_batch_comes_from_its_events_in_any_order() -> None:
    """One event more or less makes another one, and no batch has the id of its event."""
    events = [delivery(number) for number in range(3)]

    assert len({batch_id(some) for some in permutations(events)}) == 1
    assert len({batch_id(events), batch_id(events[:2]), batch_id(events[:1]), events[0].id}) == 4


@given(
    sizes=st.lists(st.integers(min_value=20, max_value=MAX_SINGLE), max_size=250),
    most=st.integers(min_value=2, max_value=MAX_BATCH),
)
def test_no_batch_is_larger_than_promised_and_nothing_is_lost(sizes: list[int], most: int) -> None:
    """In events and in bytes."""
    events = [delivery(number, size=size) for number, size in enumerate(sizes)]

    batches = list(in_batches(events, most))

    assert [event for batch in batches for event in batch] == events
    assert all(len(batch) <= most for batch in batches)
    assert all(len(render_batch(batch).body.encode()) <= MAX_BODY for batch in batches)


def test_formats_without_batches_stay_alone_and_formats_do_not_mix() -> None:
    """After a webhook's format was changed both kinds may wait."""
    events = [
        delivery(1, format_=NotificationFormat.SNS),
        delivery(2, format_=NotificationFormat.SNS),
        delivery(3),
        delivery(4),
        delivery(5, format_=CLOUDEVENTS),
    ]

    assert [len(batch) for batch in in_batches(events, 10)] == [1, 1, 2, 1]


def test_what_is_much_older_goes_apart() -> None:
    """A parked batch expires with its oldest event, and would take younger ones with it."""
    hour = MAX_AGE_APART.total_seconds()

    assert [len(batch) for batch in in_batches([delivery(1, age=hour + 1), delivery(2)], 10)] == [1, 1]
    assert [len(batch) for batch in in_batches([delivery(1, age=hour), delivery(2)], 10)] == [2]


@given(count=st.integers(min_value=2, max_value=MAX_BATCH))
def test_halving_ends_at_single_events_after_seven_times(count: int) -> None:
    """Halves hold all events in order, and both are smaller."""
    events = tuple(delivery(number, size=20) for number in range(count))
    parts, rounds = [events], 0
    while any(len(part) > 1 for part in parts):
        parts = [half for part in parts for half in (halves(part) if len(part) > 1 else (part,))]
        rounds += 1

    assert sum(parts, ()) == events
    assert rounds <= 7


@given(
    seconds=st.integers(min_value=1, max_value=MAX_GATHERING),
    moment=st.integers(min_value=0, max_value=10**10),
)
def test_events_of_a_window_become_visible_together(seconds: int, moment: int) -> None:
    """After *seconds* at most, and never in the past."""
    now = datetime.fromtimestamp(moment, UTC)
    delay = gathering_delay(seconds, "w1", now=now)

    assert 1 <= delay <= seconds
    later = [gathering_delay(seconds, "w1", now=now + timedelta(seconds=more)) + more for more in range(delay)]
    assert set(later) == {delay}


def test_without_a_time_to_gather_nothing_waits() -> None:
    """What is already there together goes."""
    assert gathering_delay(0, "w1", now=NOW) == 0


def test_webhooks_windows_end_at_different_moments() -> None:
    """So that all tenants' events do not become visible in the same second."""
    assert len({gathering_delay(60, f"w{number}", now=NOW) for number in range(100)}) > 30


def test_a_batch_is_as_old_as_its_oldest_event() -> None:
    """Its expiry counts from the first fan-out; no log line takes it for a mail."""
    events = [delivery(1, age=60), delivery(2, age=90), delivery(3)]

    batch = render_batch(events)

    assert batch.created_at == NOW - timedelta(seconds=90)
    assert batch.timestamp == NOW + timedelta(seconds=1)
    assert (batch.id, batch.format, batch.message_id) == (batch_id(events), STANDARD, None)


def test_the_id_of_a_batch_is_the_same_in_every_release() -> None:
    """A batch that waited while a new release was deployed is the same batch."""
    assert batch_id([delivery(1), delivery(2)]) == "msg_9114bb053b896c23a717b6a4538f0f1e"


def test_an_hour_parts_what_may_go_together() -> None:
    """Whichever of the two is the older."""
    assert timedelta(hours=1) == MAX_AGE_APART
    assert [len(batch) for batch in in_batches([delivery(1), delivery(2, age=3_601)], 10)] == [1, 1]


def test_halves_of_an_odd_number_are_as_equal_as_can_be() -> None:
    """The first has one more."""
    events = [delivery(number) for number in range(5)]
    assert halves(events) == (tuple(events[:3]), tuple(events[3:]))


def test_a_batch_is_halved_for_the_answers_that_may_be_due_to_one_of_its_events() -> None:
    """Bad request and unprocessable content; at once if it is too large. Two formats have batches."""
    assert ({"400", "422"}, "413") == (REFUSED, TOO_LARGE)
    assert {format_.value: type_ for format_, type_ in BATCHED_FORMATS.items()} == {
        "standard-webhooks": "application/json",
        "cloudevents": "application/cloudevents-batch+json",
    }
