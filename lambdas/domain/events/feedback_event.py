"""What SES said of one message, whatever format it came in. Names follow SES's event documentation."""

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
    """An address an event speaks of, with what the receiving server said of it."""

    email: str
    status: str | None = None
    diagnostic: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """The message an event speaks of. Anything may be missing."""

    message_id: str | None
    sent_at: datetime | None
    sender: str | None
    destination: tuple[str, ...]
    subject: str | None
    tags: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounce:
    """A bounce's own facts.

    `counts` says whether a bounce of this kind weighs in the bounce rate, `counted` how many of its recipients do:
    none, when it names none.
    """

    bounce_class: BounceClass
    subtype: str | None
    feedback_id: str | None
    counts: bool
    counted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """A complaint's own facts. Its recipients are candidates only, so it counts once or not at all."""

    feedback_id: str | None
    feedback_type: str | None
    subtype: str | None
    counts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A delivery's own facts. `counted` is how many recipients weigh in the rates' denominators."""

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

    `id` comes from the content, so that the same event told twice has one id. `timestamp` is aware, UTC: the
    event's own, else the mail's, else None. `instance_id` and `binding_id` come from the names of the configuration
    set and of the sending IAM user; None when they are missing or not ours. `source` is the JSON text SES wrote.
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
