"""What the feedback function counts and logs: the names stand in docs/reputation.md and in alarms."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import pytest
from aws_lambda_powertools.metrics import MetricUnit

from lambdas.domain.events.feedback_event import FeedbackEvent
from lambdas.domain.webhooks.audience import Audience
from lambdas.domain.webhooks.delivery import delivery_id
from lambdas.domain.webhooks.webhook import Webhook, WebhookId
from lambdas.feedback.batch import InstanceGone, RecordingFailed, RecordingOutcome
from lambdas.feedback.observability import EVENT_FACTS, Observability
from lambdas.feedback.parse_message import NotAnEvent, NotAnEventKind, parse_message
from lambdas.feedback.record import Recorder
from tests.events import INSTANCE, TOPIC_ARN, bounce, complaint, delivery, in_sns, text
from tests.feedback.fakes import FakeAudiences, FakeDeliveryQueue, FakeLedger

NOW = datetime(2026, 11, 21, 5, tzinfo=UTC)


class Seen:
    """What a report made of an observability with fakes behind it."""

    def __init__(self) -> None:
        self.logger, metrics = Mock(), Mock()
        self.counts: dict[str, int] = {}
        metrics.add_metric.side_effect = self._count
        self.report = Observability(self.logger, metrics)
        webhook = Webhook(id=WebhookId("w1"), instance_id=INSTANCE)
        self._audience = Audience(instance_id=INSTANCE, webhooks=(webhook,), baseline=None)
        self._recorder = Recorder(
            audiences=FakeAudiences(known={INSTANCE: self._audience}),
            ledger=FakeLedger(),
            delivery_queue=FakeDeliveryQueue(),
            topic_arn=TOPIC_ARN,
        )

    def _count(self, *, name: str, unit: Any, value: int) -> None:
        assert unit is MetricUnit.Count
        self.counts[name] = self.counts.get(name, 0) + value

    def record(self, *bodies: str) -> None:
        """Record events and report the outcome."""
        events = readings(*bodies)
        self.report.outcome(INSTANCE, events, self._recorder.record(self._audience, events, now=NOW))

    def logged(self, level: str, message: str) -> dict[str, Any]:
        """The facts of the one line of that message."""
        (facts,) = [call.kwargs["extra"] for call in getattr(self.logger, level).mock_calls if call.args == (message,)]
        return dict(facts)


def readings(*bodies: str) -> Sequence[FeedbackEvent]:
    """The events in message bodies."""
    return [event for body in bodies for event in parse_message(body) if isinstance(event, FeedbackEvent)]


def test_recorded_events_are_counted_by_what_they_are() -> None:
    """Recipients of bounces, complaints, events and the deliveries made of them."""
    seen = Seen()
    seen.record(text(bounce(recipients=("a@x.example", "b@x.example"))), text(complaint()), text(delivery()))
    assert seen.counts == {"BouncesCounted": 2, "ComplaintsCounted": 1, "EventsRecorded": 3, "DeliveriesMade": 3}
    line = seen.logged("info", "bounce was counted")
    assert (line["instance_id"], line["recipients"], line["hour"]) == (INSTANCE, 2, "2026-11-21T04")
    assert line["feedback"].startswith("0100000000000001-aaaa-000000#")
    assert (line["message_id"], line["reason"]) == ("m-1", "General")


def test_what_was_counted_before_is_a_duplicate() -> None:
    """It neither counts again nor looks as if it had."""
    seen = Seen()
    seen.record(text(bounce()))
    seen.counts.clear()
    seen.record(text(bounce()))
    assert seen.counts == {"EventsDuplicate": 1, "EventsRecorded": 1, "DeliveriesMade": 1}
    seen.logged("info", "bounce had been counted before")


@pytest.mark.parametrize(
    ("outcome", "metric", "level", "line"),
    [
        (InstanceGone(), "EventsOfDeletedInstances", "warning", "events of a deleted instance were dropped"),
        (
            RecordingFailed(error=ValueError("x")),
            "EventsFailed",
            "error",
            "events could not be recorded and are retried",
        ),
    ],
)
def test_events_that_were_not_recorded_are_counted_one_by_one(
    outcome: RecordingOutcome, metric: str, level: str, line: str
) -> None:
    """And told by their instance."""
    seen = Seen()
    seen.report.outcome(INSTANCE, readings(text(bounce()), text(delivery())), outcome)
    assert seen.counts == {metric: 2}
    assert seen.logged(level, line) == {"instance_id": INSTANCE, "events": 2}


@pytest.mark.parametrize(
    ("body", "metric", "level"),
    [
        (in_sns("confirm", "SubscriptionConfirmation"), "ControlMessages", "info"),
        ('{"eventType":"Novel"}', "UnknownMessages", "warning"),
        ("rubbish", "InvalidMessages", "warning"),
    ],
)
def test_a_message_without_an_event_is_counted_by_its_kind(body: str, metric: str, level: str) -> None:
    """What SNS and SES say of the topic is normal, the rest is worth a look."""
    seen = Seen()
    (reading,) = parse_message(body)
    assert isinstance(reading, NotAnEvent)
    seen.report.not_an_event("message-1", reading)
    assert seen.counts == {metric: 1}
    assert seen.logged(level, "message was no event")["queue_message"] == "message-1"


@pytest.mark.parametrize(
    ("tags", "reason"),
    [({}, "no configuration set"), ({"ses:configuration-set": ["theirs"]}, "a foreign configuration set")],
)
def test_an_event_without_an_instance_says_why(tags: dict[str, list[str]], reason: str) -> None:
    """Mail that somebody else of the account sent, or without a configuration set."""
    seen = Seen()
    (event,) = readings(text(bounce(tags=tags)))
    seen.report.unattributed(event)
    assert seen.counts == {"EventsUnattributed": 1}
    assert seen.logged("warning", "event has no instance")["reason"] == reason


def test_a_message_about_a_tenant_is_worth_a_look_and_tells_its_facts() -> None:
    """Beside the message's id, its kind and the reason."""
    seen = Seen()
    reading = NotAnEvent(kind=NotAnEventKind.TENANT_CONTROL, reason="Sending Status Disabled", facts={"tenant": "acme"})
    seen.report.not_an_event("message-1", reading)
    assert seen.counts == {"TenantControlMessages": 1}
    assert seen.logged("warning", "message was no event") == {
        "queue_message": "message-1",
        "kind": "tenant_control",
        "reason": "Sending Status Disabled",
        "tenant": "acme",
    }


def test_the_facts_of_an_event_that_counts_and_of_one_without_an_instance() -> None:
    """No address among them; the hour is the counter's."""
    seen = Seen()
    seen.record(text(complaint(feedback_id="f1")))
    [event] = readings(text(complaint(feedback_id="f1")))
    assert seen.logged("info", "complaint was counted") == {
        "instance_id": INSTANCE,
        "feedback": f"f1#{event.id[:16]}",
        "message_id": "m-1",
        "reason": "abuse",
        "hour": "2026-11-21T04",
        "recipients": 1,
    }
    assert seen.counts == {"ComplaintsCounted": 1, "EventsRecorded": 1, "DeliveriesMade": 1}
    [nobodys] = readings(text(bounce(instance=None)))
    seen.report.unattributed(nobodys)
    assert seen.logged("warning", "event has no instance") == {
        "event": nobodys.id,
        "type": "bounce",
        "message_id": "m-1",
        "reason": "no configuration set",
    }


def test_an_event_alone_has_fields_and_several_share_a_line_in_rows() -> None:
    """SES's id of the mail, cut where no honest one is longer, the kind, and the ids of its deliveries."""
    seen = Seen()
    [one] = readings(text(bounce(message_id="m" * 300)))
    seen.record(text(bounce(message_id="m" * 300)))
    seen.report.finish()
    assert seen.logged("info", "event recorded") == {
        "instance_id": INSTANCE,
        "message_id": "m" * 200,
        "type": "bounce",
        "delivery_ids": [delivery_id(WebhookId("w1"), one.id)],
    }
    several = Seen()
    events = readings(text(delivery(message_id="a")), text(delivery(message_id="b")))
    several.record(text(delivery(message_id="a")), text(delivery(message_id="b")))
    several.report.finish()
    rows = [
        (name, "delivery", [delivery_id(WebhookId("w1"), event.id)]) for name, event in zip("ab", events, strict=True)
    ]
    assert several.logged("info", "events recorded") == {"instances": [[INSTANCE, rows]]}
    several.report.finish()
    several.logged("info", "events recorded")  # still the one line: each event is logged once
    assert EVENT_FACTS == ("message_id", "type", "delivery_ids")


def test_an_error_is_logged_with_what_raised_it() -> None:
    """The metric alone says nothing of why."""
    seen = Seen()
    error = TimeoutError("DynamoDB")
    seen.report.outcome(INSTANCE, readings(text(bounce())), RecordingFailed(error=error))
    assert seen.logger.error.call_args.kwargs["exc_info"] is error
