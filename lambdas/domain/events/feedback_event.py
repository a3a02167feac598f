"""The content of an SES event, independent of its format. Names follow SES's event documentation."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class EventType(StrEnum):
    """Every kind of event SES publishes."""

    SEND = "send"
    DELIVERY = "delivery"
    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    REJECT = "reject"
    OPEN = "open"
    CLICK = "click"
    RENDERING_FAILURE = "rendering_failure"
    DELIVERY_DELAY = "delivery_delay"
    SUBSCRIPTION = "subscription"


class BounceClass(StrEnum):
    """SES's bounceType."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """A recipient of an event, with the receiving server's answer."""

    email: str
    status: str | None = None
    diagnostic: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """The message that an event is about. Any field may be missing."""

    message_id: str | None
    sent_at: datetime | None
    sender: str | None
    destination: tuple[str, ...]
    subject: str | None
    tags: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounce:
    """Details of a bounce.

    `counts` says whether a bounce of this kind counts in the bounce rate. `counted` is the number of its recipients
    that count: 0 if it names no recipient.
    """

    bounce_class: BounceClass
    subtype: str | None
    feedback_id: str | None
    counts: bool
    counted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """Details of a complaint. Its recipients are only candidates, so it counts once or not at all."""

    feedback_id: str | None
    feedback_type: str | None
    subtype: str | None
    counts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Details of a delivery. `counted` is how many recipients count in the denominators of the rates."""

    smtp_response: str | None
    processing_ms: int | None
    counted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a message was rejected, delayed or not rendered."""

    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackEvent:
    """One SES event.

    `id` is derived from the content, so that the same event received twice has one id. `timestamp` is aware and in
    UTC: the event's timestamp, else the mail's, else None. `instance_id` and `binding_id` come from the names of the
    configuration set and of the sending IAM user; None if the name is missing or was not made by ses-feedback.
    `source` is the JSON text that SES wrote.
    """

    id: str
    type: EventType
    timestamp: datetime | None
    mail: Mail
    recipients: tuple[Recipient, ...]
    detail: Bounce | Complaint | Receipt | Problem | None
    configuration_set: str | None
    instance_id: str | None
    binding_id: str | None
    source: str
