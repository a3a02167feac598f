"""SES's own event, in either format -> FeedbackEvent. Names are those of SES's documentation."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

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
from lambdas.domain.reputation.counting_rules import bounce_counts, complaint_counts, counted
from lambdas.domain.tenants import aws_names
from lambdas.feedback.lenient_json import entries, number, section, text, texts

EVENT_TYPES = {
    "Send": EventType.SEND,
    "Delivery": EventType.DELIVERY,
    "Bounce": EventType.BOUNCE,
    "Complaint": EventType.COMPLAINT,
    "Reject": EventType.REJECT,
    "Open": EventType.OPEN,
    "Click": EventType.CLICK,
    "Rendering Failure": EventType.RENDERING_FAILURE,
    "RenderingFailure": EventType.RENDERING_FAILURE,  # seen in the wild
    "DeliveryDelay": EventType.DELIVERY_DELAY,
    "Subscription": EventType.SUBSCRIPTION,
}
_SECTIONS = {  # where an event keeps what is its own
    EventType.SEND: "send",
    EventType.DELIVERY: "delivery",
    EventType.BOUNCE: "bounce",
    EventType.COMPLAINT: "complaint",
    EventType.REJECT: "reject",
    EventType.OPEN: "open",
    EventType.CLICK: "click",
    EventType.RENDERING_FAILURE: "failure",
    EventType.DELIVERY_DELAY: "deliveryDelay",
    EventType.SUBSCRIPTION: "subscription",
}
_RECIPIENTS = {  # whom it names; the others speak of the whole mail
    EventType.BOUNCE: "bouncedRecipients",
    EventType.COMPLAINT: "complainedRecipients",
    EventType.DELIVERY_DELAY: "delayedRecipients",
}
_CLASSES = {"Permanent": BounceClass.PERMANENT, "Transient": BounceClass.TRANSIENT}
_IMPLAUSIBLE = {"0" * 8 + "-0000-0000-0000-" + "0" * 12}  # a placeholder, not an id: it would make all events one

Detail = Bounce | Complaint | Receipt | Problem | None


def feedback_event(event_type: EventType, event: Mapping[str, Any], source: str) -> FeedbackEvent:
    """The event in *event*, whose JSON text is *source*. Whatever is missing or malformed reads as None or empty."""
    own = section(event, _SECTIONS[event_type])
    mail = _mail(section(event, "mail"))
    recipients = _recipients(event_type, own, mail)
    timestamp = moment(text(own, "timestamp")) or mail.sent_at
    configuration_set = _tag(mail, "ses:configuration-set")
    return FeedbackEvent(
        id=_event_id(event_type, own, mail, timestamp, recipients, source),
        type=event_type,
        timestamp=timestamp,
        mail=mail,
        recipients=recipients,
        detail=_DETAILS.get(event_type, _none)(own, recipients),
        configuration_set=configuration_set,
        instance_id=aws_names.instance_of(configuration_set or ""),
        binding_id=_binding(mail),
        source=source.strip(),
    )


def moment(written: str | None) -> datetime | None:
    """The time in an ISO 8601 text, in UTC; None if it is not one. A time without an offset is UTC, as in SES."""
    if written is None:
        return None
    try:
        read = datetime.fromisoformat(written.replace(" +", "+").replace(" -", "-"))
        return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _mail(mail: Mapping[str, Any]) -> Mail:
    """Names of configuration set and user are taken from tags alone: SES sets those (a sender cannot: a tag's name
    holds no colon), but a header of that name is whatever the sender wrote."""
    return Mail(
        message_id=text(mail, "messageId"),
        sent_at=moment(text(mail, "timestamp")),
        sender=text(mail, "source"),
        destination=texts(mail, "destination"),
        subject=text(section(mail, "commonHeaders"), "subject"),
        tags={name: texts(section(mail, "tags"), name) for name in section(mail, "tags")},
    )


def _recipients(event_type: EventType, own: Mapping[str, Any], mail: Mail) -> tuple[Recipient, ...]:
    if event_type is EventType.DELIVERY:
        return tuple(Recipient(email=address) for address in texts(own, "recipients") or mail.destination)
    if listed := _RECIPIENTS.get(event_type):
        return tuple(
            Recipient(email=address, status=text(entry, "status"), diagnostic=text(entry, "diagnosticCode") or None)
            for entry in entries(own, listed)
            if (address := text(entry, "emailAddress")) is not None
        )
    return tuple(Recipient(email=address) for address in mail.destination)


def _tag(mail: Mail, name: str) -> str | None:
    return next(iter(mail.tags.get(name, ())), None)


def _binding(mail: Mail) -> str | None:
    return aws_names.binding_of(_tag(mail, "ses:caller-identity") or "")


def _bounce(own: Mapping[str, Any], recipients: Sequence[Recipient]) -> Bounce:
    bounce_class = _CLASSES.get(text(own, "bounceType") or "", BounceClass.UNDETERMINED)
    subtype = text(own, "bounceSubType")
    addresses = [recipient.email for recipient in recipients]
    counts = bounce_counts(bounce_class, subtype, addresses)
    return Bounce(
        bounce_class=bounce_class,
        subtype=subtype,
        feedback_id=_feedback_id(own),
        counts=counts,
        counted=counted(addresses) if counts else 0,
    )


def _complaint(own: Mapping[str, Any], recipients: Sequence[Recipient]) -> Complaint:
    feedback_type, subtype = text(own, "complaintFeedbackType"), text(own, "complaintSubType")
    return Complaint(
        feedback_id=_feedback_id(own),
        feedback_type=feedback_type,
        subtype=subtype,
        counts=complaint_counts(feedback_type, subtype, [recipient.email for recipient in recipients]),
    )


def _receipt(own: Mapping[str, Any], recipients: Sequence[Recipient]) -> Receipt:
    return Receipt(
        smtp_response=text(own, "smtpResponse"),
        processing_ms=number(own, "processingTimeMillis"),
        counted=counted(recipient.email for recipient in recipients),
    )


def _reject(own: Mapping[str, Any], _: Sequence[Recipient]) -> Problem:
    return Problem(reason=text(own, "reason"))


def _delay(own: Mapping[str, Any], _: Sequence[Recipient]) -> Problem:
    return Problem(reason=text(own, "delayType"))


def _failure(own: Mapping[str, Any], _: Sequence[Recipient]) -> Problem:
    return Problem(reason=text(own, "errorMessage"))


def _none(_own: Mapping[str, Any], _: Sequence[Recipient]) -> None:
    return None


_DETAILS: dict[EventType, Callable[[Mapping[str, Any], Sequence[Recipient]], Detail]] = {
    EventType.BOUNCE: _bounce,
    EventType.COMPLAINT: _complaint,
    EventType.DELIVERY: _receipt,
    EventType.REJECT: _reject,
    EventType.DELIVERY_DELAY: _delay,
    EventType.RENDERING_FAILURE: _failure,
}


def _feedback_id(own: Mapping[str, Any]) -> str | None:
    return text(own, "feedbackId") or None


def _event_id(
    event_type: EventType,
    own: Mapping[str, Any],
    mail: Mail,
    timestamp: datetime | None,
    recipients: Sequence[Recipient],
    source: str,
) -> str:
    """An id from the content: the same event has the same id when SES publishes it twice or in another wrapper.

    SES names feedback uniquely by feedbackId; the rest is told apart by mail, moment and recipients. What carries none
    of these is told apart by its text.
    """
    feedback_id = _feedback_id(own)
    if feedback_id and event_type in {EventType.BOUNCE, EventType.COMPLAINT} and feedback_id not in _IMPLAUSIBLE:
        facts = [event_type, feedback_id]
    elif mail.message_id:
        moment_text = timestamp.isoformat() if timestamp else ""
        facts = [event_type, mail.message_id, moment_text, *sorted(recipient.email for recipient in recipients)]
    else:
        facts = [event_type, source]
    return hashlib.sha256("\n".join(facts).encode(errors="replace")).hexdigest()
