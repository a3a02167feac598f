"""The types of the bodies, which the schemas for applications are made of, and the bodies that are sent."""

from datetime import UTC, datetime
from typing import Any

import pytest

from lambdas.domain.events.feedback_event import (
    Bounce,
    BounceClass,
    Complaint,
    EventType,
    FeedbackEvent,
    Mail,
    Problem,
    Receipt,
    Recipient,
)
from lambdas.domain.reputation.evaluation import Reputation, SendingState
from lambdas.domain.reputation.sending_status import Cause, SendingStatus, transition_of
from lambdas.domain.webhooks.event_data import event_data
from lambdas.domain.webhooks.payload import test_notice
from lambdas.domain.webhooks.webhook_body import DATA, MailData, RecipientData, WindowData
from lambdas.reputation.enforce import paused_notice

NOW = datetime(2026, 11, 21, 4, tzinfo=UTC)
BOUNCED = Bounce(bounce_class=BounceClass.PERMANENT, subtype=None, feedback_id=None, counts=True, counted=1)
COMPLAINED = Complaint(feedback_id=None, feedback_type=None, subtype=None, counts=True)


def of(event_type: EventType, detail: Any) -> dict[str, Any]:
    """The data of an event."""
    mail = Mail(message_id="m", sent_at=NOW, sender="s", destination=(), subject="", tags={})
    event = FeedbackEvent(
        id="e",
        type=event_type,
        timestamp=NOW,
        mail=mail,
        recipients=(Recipient(email="a@x.example"),),
        detail=detail,
        configuration_set=None,
        instance_id="i1",
        binding_id=None,
        source="{}",
    )
    return event_data(event, "i1")


def pause() -> dict[str, Any]:
    """The data of a pause."""
    counts = Reputation(bounces=1, complaints=0, deliveries=1, since="2026-11-21T04")
    status = SendingStatus(instance_id="i1")
    return dict(paused_notice(transition_of(status, SendingState.PAUSED, counts, cause=Cause.RATES, now=NOW)).data)


BODIES = {
    "email.bounced": of(EventType.BOUNCE, BOUNCED),
    "email.complained": of(EventType.COMPLAINT, COMPLAINED),
    "email.delivered": of(EventType.DELIVERY, Receipt(smtp_response=None, processing_ms=None, counted=1)),
    "email.rejected": of(EventType.REJECT, Problem(reason=None)),
    "email.delayed": of(EventType.DELIVERY_DELAY, Problem(reason=None)),
    "email.rendering_failed": of(EventType.RENDERING_FAILURE, Problem(reason=None)),
    "webhook.test": dict(test_notice(test_id="t", instance_id="i1", binding_id=None, now=NOW).data),
    "reputation.paused": pause(),
}


@pytest.mark.parametrize("type_", BODIES)
def test_a_body_has_the_fields_that_its_type_says(type_: str) -> None:
    """Each, and no other: an application may be made from the schema."""
    data = BODIES[type_]
    assert set(data) == DATA[type_].__required_keys__
    sections = {"mail": MailData, "window": WindowData}
    for name, section in sections.items():
        assert name not in data or set(data[name]) == section.__annotations__.keys()
    for recipient in data.get("recipients", ()):
        assert set(recipient) == RecipientData.__annotations__.keys()


def test_every_type_of_body_is_described() -> None:
    """A batch holds these."""
    assert set(DATA) == set(BODIES)
