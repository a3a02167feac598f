"""The `data` of an event's webhook body: the same in every format but `sns`."""

from datetime import datetime
from typing import Any

from lambdas.domain.events.feedback_event import (
    Bounce,
    Complaint,
    EventType,
    FeedbackEvent,
    Mail,
    Problem,
    Receipt,
    Recipient,
)
from lambdas.domain.webhooks.timestamp import rfc3339
from lambdas.domain.webhooks.webhook_body import MailData, RecipientData, Timestamp

_ADDRESS = 320  # characters: the longest that RFC 3696 allows
_LINE = 998  # characters: the longest header line that RFC 5322 allows
_REPLY = 1_000  # characters of a server's answer: enough to find the reason
_WORD = 200  # characters of an id or a keyword of SES
_REASONS = {  # the field in which a body reports the reason, by kind
    EventType.REJECT: ("reject", "reason"),
    EventType.DELIVERY_DELAY: ("delay", "type"),
    EventType.RENDERING_FAILURE: ("rendering_failure", "error"),
}


def event_data(event: FeedbackEvent, instance_id: str) -> dict[str, Any]:
    """The `data` of *event*'s webhook body. Texts are cut at lengths that no honest text exceeds."""
    return {
        "instance_id": instance_id,
        "binding_id": event.binding_id,
        "message_id": _cut(event.mail.message_id, _WORD),
        "mail": _mail(event.mail),
        "recipients": [_recipient(recipient) for recipient in event.recipients],
        **_detail(event),
    }


def iso(moment: datetime) -> Timestamp:
    """*moment* as every format writes it: RFC 3339, UTC, milliseconds."""
    return Timestamp(rfc3339(moment))


def bare(address: str) -> str:
    """The address without a display name: an auto-reply reports it as `"Name" <a@b>`."""
    _, bracket, rest = address.rpartition("<")
    return rest.rstrip().removesuffix(">").strip() if bracket and rest.rstrip().endswith(">") else address.strip()


def _mail(mail: Mail) -> MailData:
    return {
        "sent_at": iso(mail.sent_at) if mail.sent_at else None,
        "from": _cut(mail.sender, _ADDRESS),
        "to": [_cut_text(address, _ADDRESS) for address in mail.destination],
        "subject": _cut(mail.subject, _LINE),
        "tags": {name: list(values) for name, values in mail.tags.items()},
    }


def _recipient(recipient: Recipient) -> RecipientData:
    return {
        "email": _cut_text(bare(recipient.email), _ADDRESS),
        "status": _cut(recipient.status, _WORD),
        "diagnostic": _cut(recipient.diagnostic, _REPLY),
    }


def _detail(event: FeedbackEvent) -> dict[str, Any]:
    match event.detail:
        case Bounce(bounce_class=kind, subtype=subtype, counts=counts):
            return {"bounce": {"class": kind.value, "subtype": _cut(subtype, _WORD), "counts": counts}}
        case Complaint(feedback_type=feedback_type, counts=counts):
            return {"complaint": {"feedback_type": _cut(feedback_type, _WORD), "counts": counts}}
        case Receipt(smtp_response=answer, processing_ms=duration):
            return {"delivery": {"smtp_response": _cut(answer, _REPLY), "processing_ms": duration}}
        case Problem(reason=reason):
            section, name = _REASONS[event.type]
            return {section: {name: _cut(reason, _REPLY)}}
    return {}


def _cut(text: str | None, length: int) -> str | None:
    return None if text is None else _cut_text(text, length)


def _cut_text(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
