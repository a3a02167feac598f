"""Events as SES writes them, made up here: builders, so that a test says only what matters to it."""

import json
from typing import Any

INSTANCE = "instance-1"
BINDING = "binding-1"
SENT_AT = "2026-11-21T04:00:00.000Z"
HAPPENED_AT = "2026-11-21T04:00:05.250Z"
TOPIC_ARN = "arn:aws:sns:us-east-1:111122223333:ses-feedback-events"


def mail(
    *,
    instance: str | None = INSTANCE,
    binding: str | None = BINDING,
    message_id: str = "m-1",
    sent_at: str = SENT_AT,
    destination: tuple[str, ...] = ("joe@shop.example",),
    **changes: Any,
) -> dict[str, Any]:
    """The mail object. Without an instance it carries no tags at all, as older notifications do."""
    tags: dict[str, list[str]] = {"campaign": ["autumn"], "ses:source-ip": ["192.0.2.1"]}
    if instance is not None:
        tags["ses:configuration-set"] = [f"ses-feedback-{instance}"]
    if binding is not None:
        tags["ses:caller-identity"] = [f"ses-feedback-{binding}"]
    return {
        "timestamp": sent_at,
        "source": "shop@tenant.example",
        "messageId": message_id,
        "destination": list(destination),
        "headersTruncated": False,
        "headers": [{"name": "Subject", "value": "Your order"}, {"name": "X-Tag", "value": "order"}],
        "commonHeaders": {"subject": "Your order", "to": list(destination)},
        **({"tags": tags} if instance is not None else {}),
        **changes,
    }


def bounce(
    *,
    feedback_id: str = "0100000000000001-aaaa-000000",
    bounce_type: str = "Permanent",
    subtype: str = "General",
    recipients: tuple[str, ...] = ("joe@shop.example",),
    timestamp: str = HAPPENED_AT,
    **about_mail: Any,
) -> dict[str, Any]:
    """A bounce of event publishing."""
    return {
        "eventType": "Bounce",
        "bounce": {
            "bounceType": bounce_type,
            "bounceSubType": subtype,
            "bouncedRecipients": [
                {"emailAddress": address, "action": "failed", "status": "5.1.1", "diagnosticCode": "smtp; 550 no user"}
                for address in recipients
            ],
            "timestamp": timestamp,
            "feedbackId": feedback_id,
            "reportingMTA": "dsn; a.example",
        },
        "mail": mail(**{"destination": recipients, **about_mail}),
    }


def complaint(
    *,
    feedback_id: str = "0100000000000002-bbbb-000000",
    feedback_type: str | None = "abuse",
    recipients: tuple[str, ...] = ("joe@shop.example",),
    timestamp: str = HAPPENED_AT,
    **about_mail: Any,
) -> dict[str, Any]:
    """A complaint of event publishing."""
    return {
        "eventType": "Complaint",
        "complaint": {
            "complainedRecipients": [{"emailAddress": address} for address in recipients],
            "timestamp": timestamp,
            "feedbackId": feedback_id,
            "complaintSubType": None,
            "complaintFeedbackType": feedback_type,
            "userAgent": "loop/1",
        },
        "mail": mail(**{"destination": recipients, **about_mail}),
    }


def delivery(
    *, recipients: tuple[str, ...] = ("joe@shop.example",), timestamp: str = HAPPENED_AT, **about_mail: Any
) -> dict[str, Any]:
    """A delivery of event publishing."""
    return {
        "eventType": "Delivery",
        "delivery": {
            "timestamp": timestamp,
            "processingTimeMillis": 546,
            "recipients": list(recipients),
            "smtpResponse": "250 2.0.0 OK",
            "reportingMTA": "a.example",
        },
        "mail": mail(**{"destination": recipients, **about_mail}),
    }


def other(event_type: str, section: str, own: dict[str, Any], **about_mail: Any) -> dict[str, Any]:
    """An event of another kind: its type, the name of its own section, and what stands there."""
    return {"eventType": event_type, section: own, "mail": mail(**about_mail)}


def text(event: dict[str, Any]) -> str:
    """*event* as SES writes it to the topic: JSON that ends with a newline."""
    return json.dumps(event) + "\n"


def in_sns(message: str, kind: str = "Notification") -> str:
    """*message* in SNS's envelope, as a queue gets it without raw delivery."""
    return json.dumps(
        {
            "Type": kind,
            "MessageId": "5f0c0d3e-0000-4000-8000-000000000001",
            "TopicArn": TOPIC_ARN,
            "Message": message,
            "Timestamp": HAPPENED_AT,
        }
    )
