"""Record, then fan out: what must hold wherever the process dies."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambdas.domain.events.feedback_event import FeedbackEvent
from lambdas.domain.webhooks.audience import Audience
from lambdas.domain.webhooks.batch import gathering_delay
from lambdas.domain.webhooks.webhook import EventKind, Scope, Webhook, WebhookId
from lambdas.feedback.parse_message import parse_message
from lambdas.feedback.record import Recorded, Recorder
from tests.events import BINDING, INSTANCE, TOPIC_ARN, bounce, complaint, delivery, other, text
from tests.feedback.fakes import FakeAudiences, FakeDeliveryQueue, FakeLedger, Fate, Killed

NOW = datetime(2026, 11, 21, 5, tzinfo=UTC)
HOUR = (INSTANCE, "2026-11-21T04")
WEBHOOK = Webhook(id=WebhookId("w1"), instance_id=INSTANCE)
AUDIENCE = Audience(instance_id=INSTANCE, webhooks=(WEBHOOK,), baseline=None)


def read_all(*events: dict[str, Any]) -> list[FeedbackEvent]:
    """The events as the parser reads them."""
    return [reading for event in events for reading in parse_message(text(event)) if isinstance(reading, FeedbackEvent)]


class Pipeline:
    """A feeder over a table and a queue in memory."""

    def __init__(self, audience: Audience = AUDIENCE) -> None:
        self.audience = audience
        self.fate = Fate()
        self.ledger = FakeLedger(fate=self.fate)
        self.delivery_queue = FakeDeliveryQueue(fate=self.fate)
        audiences = FakeAudiences(known={INSTANCE: audience})
        self.recorder = Recorder(
            audiences=audiences, ledger=self.ledger, delivery_queue=self.delivery_queue, topic_arn=TOPIC_ARN
        )

    def feed(self, *events: dict[str, Any]) -> Recorded:
        """Feed the events as one batch."""
        recorded_events = self.recorder.record(self.audience, read_all(*events), now=NOW)
        self.recorder.delivery_queue.send_later(recorded_events.fan_out)
        return recorded_events


BATCH = [
    bounce(feedback_id="f1", recipients=("a@x.example", "b@x.example")),
    bounce(feedback_id="f2", bounce_type="Transient"),
    complaint(feedback_id="f3", recipients=("a@x.example", "b@x.example")),
    delivery(recipients=("c@x.example", "d@x.example")),
    delivery(message_id="m-2", timestamp="2026-11-21T03:59:59Z"),
]


def test_bounces_and_deliveries_count_by_recipient_complaints_by_report() -> None:
    """In the hour of the feedback's own timestamp."""
    pipeline = Pipeline()
    pipeline.feed(*BATCH)
    assert pipeline.ledger.bounces == {HOUR: 2}
    assert pipeline.ledger.complaints == {HOUR: 1}
    assert pipeline.ledger.deliveries == {HOUR: 2, (INSTANCE, "2026-11-21T03"): 1}


def test_events_of_a_webhook_with_batches_leave_as_one_request_a_message() -> None:
    """What one request carries travels together; what is full does not wait for the rest."""
    webhook = replace(WEBHOOK, batch=2, batch_seconds=30)
    pipeline = Pipeline(replace(AUDIENCE, webhooks=(webhook,)))
    pipeline.feed(*BATCH)
    assert [len(batch.deliveries) for batch in pipeline.delivery_queue.batches] == [2, 2, 1]
    assert pipeline.delivery_queue.delays == [0, 0, gathering_delay(30, webhook.id, now=NOW)]
    assert pipeline.delivery_queue.delays[-1] > 0


def test_without_batches_no_event_waits_to_be_gathered() -> None:
    """Whatever the time to gather says: it belongs to batches."""
    pipeline = Pipeline(replace(AUDIENCE, webhooks=(replace(WEBHOOK, batch_seconds=30),)))
    pipeline.feed(*BATCH)
    assert pipeline.delivery_queue.delays == [0]


def test_every_event_a_webhook_wants_is_fanned_out() -> None:
    """Those that do not count, too."""
    pipeline = Pipeline()
    recorded_events = pipeline.feed(*BATCH)
    assert [sent.type for sent in pipeline.delivery_queue.deliveries] == [
        "email.bounced",
        "email.bounced",
        "email.complained",
        "email.delivered",
        "email.delivered",
    ]
    assert (len(recorded_events.new), recorded_events.delivered, len(recorded_events.fan_out)) == (2, 3, 5)


def test_one_batch_of_one_webhook_travels_as_one_message() -> None:
    """Packed; cheaper, and a failure goes back alone anyway."""
    pipeline = Pipeline()
    pipeline.feed(*BATCH)
    (batch,) = pipeline.delivery_queue.batches
    assert (batch.instance_id, batch.webhook_id, batch.attempt) == (INSTANCE, "w1", 1)


@pytest.mark.parametrize("step", range(6))
def test_killed_at_any_step_and_run_again_nothing_is_lost_and_feedback_counts_once(step: int) -> None:
    """Deliveries may count twice: that can only lower a rate."""
    undisturbed, killed = Pipeline(), Pipeline()
    undisturbed.feed(*BATCH)
    killed.fate.at = step
    with pytest.raises(Killed):
        killed.feed(*BATCH)
    killed.feed(*BATCH)
    assert killed.ledger.bounces == undisturbed.ledger.bounces
    assert killed.ledger.complaints == undisturbed.ledger.complaints
    assert {sent.id for sent in killed.delivery_queue.deliveries} == {
        sent.id for sent in undisturbed.delivery_queue.deliveries
    }
    assert all(killed.ledger.deliveries[hour] >= count for hour, count in undisturbed.ledger.deliveries.items())


def test_no_step_is_missing_from_the_test_above() -> None:
    """A run of the batch passes that many places to die at."""
    pipeline = Pipeline()
    pipeline.feed(*BATCH)
    assert pipeline.fate.step == 6


def test_deliveries_are_counted_before_bounces() -> None:
    """Killed in between, the rate is too low for a moment; the other way round it would pause an honest tenant."""
    pipeline = Pipeline()
    pipeline.fate.at = 2
    with pytest.raises(Killed):
        pipeline.feed(*BATCH)
    assert pipeline.ledger.deliveries
    assert not pipeline.ledger.bounces


def test_a_duplicate_in_a_batch_is_counted_and_sent_once() -> None:
    """The same event by two ways."""
    pipeline = Pipeline()
    pipeline.feed(bounce(), bounce(), delivery(), delivery())
    assert pipeline.ledger.bounces == {HOUR: 1}
    assert pipeline.ledger.deliveries == {HOUR: 1}
    assert len(pipeline.delivery_queue.deliveries) == 2


def test_a_duplicate_in_another_batch_is_sent_again_but_not_counted() -> None:
    """The first run may have died before its fan-out; the id is the same, so a receiver can tell."""
    pipeline = Pipeline()
    pipeline.feed(bounce())
    recorded_events = pipeline.feed(bounce())
    assert pipeline.ledger.bounces == {HOUR: 1}
    first, second = pipeline.delivery_queue.deliveries
    assert (first.id, first.body) == (second.id, second.body)
    assert not recorded_events.new


def test_order_does_not_matter() -> None:
    """A complaint before its delivery, a delivery before its bounce."""
    forward, backward = Pipeline(), Pipeline()
    forward.feed(*BATCH)
    backward.feed(*reversed(BATCH))
    assert forward.ledger.bounces == backward.ledger.bounces
    assert forward.ledger.entries == backward.ledger.entries
    assert {sent.id for sent in forward.delivery_queue.deliveries} == {
        sent.id for sent in backward.delivery_queue.deliveries
    }


def test_feedback_is_collected_while_notifications_are_off() -> None:
    """They govern the fan-out alone."""
    pipeline = Pipeline(replace(AUDIENCE, webhooks=()))
    pipeline.feed(*BATCH)
    assert pipeline.ledger.bounces == {HOUR: 2}
    assert not pipeline.delivery_queue.deliveries


def test_a_webhook_gets_only_what_it_asked_for() -> None:
    """Opens, clicks and sends nobody can ask for."""
    pipeline = Pipeline(replace(AUDIENCE, webhooks=(replace(WEBHOOK, events=frozenset({EventKind.REJECT})),)))
    pipeline.feed(*BATCH, other("Reject", "reject", {"reason": "Bad content"}), other("Open", "open", {}))
    assert [sent.type for sent in pipeline.delivery_queue.deliveries] == ["email.rejected"]


def test_a_webhook_scoped_to_its_binding_gets_its_own_events_alone() -> None:
    """An event that names no sender goes to instance-scoped webhooks only."""
    scoped = replace(WEBHOOK, scope=Scope.BINDING, senders=frozenset({BINDING}))
    pipeline = Pipeline(replace(AUDIENCE, webhooks=(scoped,)))
    pipeline.feed(
        bounce(feedback_id="f1"),
        bounce(feedback_id="f2", binding="another"),
        bounce(feedback_id="f3", binding=None),
    )
    assert len(pipeline.delivery_queue.deliveries) == 1


def test_mail_sent_before_the_baseline_no_longer_counts() -> None:
    """What paused a tenant must not pause it again after a resume; it is still told to its webhooks."""
    pipeline = Pipeline(replace(AUDIENCE, baseline=datetime(2026, 11, 21, 4, 0, 1, tzinfo=UTC)))
    pipeline.feed(*BATCH)
    assert not pipeline.ledger.entries
    assert not pipeline.ledger.deliveries
    assert len(pipeline.delivery_queue.deliveries) == 5


def test_what_counts_after_the_baseline_has_a_counter_of_its_own_in_that_hour() -> None:
    """So that a resume begins at nothing without resetting what is there."""
    baseline = datetime(2026, 11, 21, 4, 0, 1, tzinfo=UTC)
    pipeline = Pipeline(replace(AUDIENCE, baseline=baseline))
    late = "2026-11-21T04:00:02Z"
    pipeline.feed(
        bounce(sent_at=late, feedback_id="f1"),
        bounce(sent_at=late, feedback_id="f2", timestamp="2026-11-21T04:59:59Z"),
        delivery(sent_at=late),
    )
    assert pipeline.ledger.bounces == {(INSTANCE, "2026-11-21T04:00:01"): 2}
    assert pipeline.ledger.deliveries == {(INSTANCE, "2026-11-21T04:00:01"): 1}


def test_feedback_that_comes_days_late_counts_in_its_own_hour() -> None:
    """A queue that stood still must not make a peak."""
    pipeline = Pipeline()
    pipeline.recorder.record(AUDIENCE, read_all(bounce()), now=NOW + timedelta(days=9))
    assert pipeline.ledger.bounces == {HOUR: 1}


def test_a_timestamp_from_the_future_counts_now() -> None:
    """A clock of somebody else's runs ahead; the window of the rates does not."""
    pipeline = Pipeline()
    pipeline.feed(bounce(timestamp="2026-11-22T04:00:00Z"), delivery(timestamp="2999-01-01T00:00:00Z"))
    assert pipeline.ledger.bounces == {(INSTANCE, "2026-11-21T05"): 1}
    assert pipeline.ledger.deliveries == {(INSTANCE, "2026-11-21T05"): 1}


def test_feedback_without_an_id_is_told_apart_by_its_content() -> None:
    """Old events have none."""
    first, second = bounce(), bounce(message_id="m-2")
    del first["bounce"]["feedbackId"], second["bounce"]["feedbackId"]
    pipeline = Pipeline()
    pipeline.feed(first, second)
    pipeline.feed(first)
    assert pipeline.ledger.bounces == {HOUR: 2}


def test_mail_without_a_sending_time_is_as_old_as_its_feedback() -> None:
    """Feedback from before the baseline does not count, even if the mail does not say when it was sent."""
    pipeline = Pipeline(replace(AUDIENCE, baseline=datetime(2026, 11, 21, 4, 30, tzinfo=UTC)))
    before, after = "2026-11-21T04:29:59Z", "2026-11-21T04:30:01Z"
    for number, moment in enumerate((before, after)):
        events = [make(timestamp=moment, message_id=f"m-{number}") for make in (bounce, delivery)]
        events[0]["bounce"]["feedbackId"] = f"f{number}"
        for event in events:
            del event["mail"]["timestamp"]
        pipeline.feed(*events)
    assert pipeline.ledger.bounces == {(INSTANCE, "2026-11-21T04:30:00"): 1}
    assert pipeline.ledger.deliveries == {(INSTANCE, "2026-11-21T04:30:00"): 1}


def test_a_delivery_counts_its_own_recipients_and_not_the_mails_other_destinations() -> None:
    """SES publishes one delivery event for each receiving server of a mail."""
    pipeline = Pipeline()
    pipeline.feed(delivery(recipients=("c@x.example",), destination=("c@x.example", "d@y.example", "e@z.example")))
    assert pipeline.ledger.deliveries == {HOUR: 1}
