"""The body and headers that a receiver gets: an event or a notice, in the webhook's format.

    standard-webhooks   {"type", "timestamp", "data"}, application/json
    sns                 SNS's envelope; Message is the text SES wrote: a receiver made for SNS reads it unchanged
    cloudevents         CloudEvents 1.0, structured: application/cloudevents+json, the same data
    cloudevents-binary  CloudEvents 1.0, binary: the data as body, the rest in ce-* headers
    email               a paragraph of plain text, for a digest

A Delivery's headers are those of its format and always contain content-type. Bodies stay under 20 KB, as Standard
Webhooks asks. Longer ones lose diagnostics first, then lists, an application's own tags last; `truncated` is then
set.
"""

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from lambdas.domain.events.feedback_event import EventType, FeedbackEvent
from lambdas.domain.webhooks.delivery import MAX_MESSAGE_ID, Delivery, delivery_id
from lambdas.domain.webhooks.event_data import event_data, iso
from lambdas.domain.webhooks.payload_limit import MAX_BODY, shrunk_data, shrunk_source
from lambdas.domain.webhooks.plain_text import paragraph
from lambdas.domain.webhooks.webhook import EventKind, NotificationFormat, Webhook

NOTIFIED = {  # the kinds a binding may ask for; sends, opens, clicks and subscriptions are not fanned out
    EventType.BOUNCE: (EventKind.BOUNCE, "email.bounced"),
    EventType.COMPLAINT: (EventKind.COMPLAINT, "email.complained"),
    EventType.DELIVERY: (EventKind.DELIVERY, "email.delivered"),
    EventType.REJECT: (EventKind.REJECT, "email.rejected"),
    EventType.DELIVERY_DELAY: (EventKind.DELIVERY_DELAY, "email.delayed"),
    EventType.RENDERING_FAILURE: (EventKind.RENDERING_FAILURE, "email.rendering_failed"),
}
_CE_PLAIN = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')  # CloudEvents over HTTP, 3.1.3.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A message for a webhook that is not an SES event. `id` is unique among the webhook's notices."""

    id: str
    type: str
    timestamp: datetime
    data: Mapping[str, Any]


def render_event(event: FeedbackEvent, webhook: Webhook, *, topic_arn: str, now: datetime) -> Delivery:
    """Render *event* for *webhook*. The same event makes the same id and, if SES gave it a time, the same bytes.

    Raises KeyError for a kind that is not in NOTIFIED. *topic_arn* is the topic that the `sns` format names.
    """
    _, name = NOTIFIED[event.type]
    message = _Message(
        id=delivery_id(webhook.id, event.id),
        type=name,
        timestamp=event.timestamp or now,
        subject=event.mail.message_id,
        instance_id=webhook.instance_id,
        data=event_data(event, webhook.instance_id),
        source=event.source,
    )
    return _delivery(message, webhook.format, topic_arn=topic_arn, now=now)


def render_notice(notice: Notice, webhook: Webhook, *, topic_arn: str, now: datetime) -> Delivery:
    """Render *notice* for *webhook*. In the `sns` format it looks like an SES event of a new type without a mail."""
    data = dict(notice.data)
    message = _Message(
        id=delivery_id(webhook.id, notice.id),
        type=notice.type,
        timestamp=notice.timestamp,
        subject=None,
        instance_id=webhook.instance_id,
        data=data,
        source=_json({"eventType": notice.type, "mail": {"destination": []}, "data": data}),
    )
    return _delivery(message, webhook.format, topic_arn=topic_arn, now=now)


def test_notice(*, test_id: str, instance_id: str, binding_id: str | None, now: datetime) -> Notice:
    """A `webhook.test`: shows a receiver that it can be reached and that its signature check works."""
    data = {"instance_id": instance_id, "binding_id": binding_id, "message": "This is a test. No mail was sent."}
    return Notice(id=f"test\n{test_id}", type="webhook.test", timestamp=now, data=data)


test_notice.__test__ = False  # type: ignore[attr-defined]  # pytest would take it for a test


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    """The content that every format writes."""

    id: str
    type: str
    timestamp: datetime
    subject: str | None
    instance_id: str
    data: dict[str, Any]
    source: str


_Written = tuple[str, dict[str, str]]


def _delivery(message: _Message, format_: NotificationFormat, *, topic_arn: str, now: datetime) -> Delivery:
    body, headers = _FORMATS[format_](message, topic_arn)
    return Delivery(
        id=message.id,
        type=message.type,
        timestamp=message.timestamp,
        created_at=now,
        format=format_,
        body=body,
        headers=headers,
        message_id=message.subject[:MAX_MESSAGE_ID] if message.subject else None,
    )


def _standard(message: _Message, _: str) -> _Written:
    def body(data: dict[str, Any]) -> str:
        return _json({"type": message.type, "timestamp": iso(message.timestamp), "data": data})

    return _fitting(message.data, body), {"content-type": "application/json"}


def _structured(message: _Message, _: str) -> _Written:
    def body(data: dict[str, Any]) -> str:
        return _json({**_attributes(message), "datacontenttype": "application/json", "data": data})

    return _fitting(message.data, body), {"content-type": "application/cloudevents+json"}


def _binary(message: _Message, _: str) -> _Written:
    attributes = {f"ce-{name}": quote(value, safe=_CE_PLAIN) for name, value in _attributes(message).items()}
    return _fitting(message.data, _json), {"content-type": "application/json", **attributes}


def _attributes(message: _Message) -> dict[str, str]:
    subject = {"subject": message.subject[:200]} if message.subject else {}
    return {
        "specversion": "1.0",
        "id": message.id,
        "source": f"/ses-feedback/instances/{message.instance_id}",
        "type": message.type,
        "time": iso(message.timestamp),
        **subject,
    }


def _sns(message: _Message, topic_arn: str) -> _Written:
    """Render the `sns` format. MessageId is a UUID derived from the webhook-id: receivers that drop duplicates need it
    stable.
    """
    message_id = str(uuid.UUID(hex=message.id.removeprefix("msg_")))

    def body(source: str) -> str:
        envelope = {"Type": "Notification", "MessageId": message_id, "TopicArn": topic_arn, "Message": source}
        return _json({**envelope, "Timestamp": iso(message.timestamp)})

    return shrunk_source(message.source, body), {
        "content-type": "text/plain; charset=UTF-8",  # the value that SNS uses
        "x-amz-sns-message-type": "Notification",
        "x-amz-sns-message-id": message_id,
        "x-amz-sns-topic-arn": topic_arn,
    }


def _email(message: _Message, _: str) -> _Written:
    def body(data: dict[str, Any]) -> str:
        return paragraph(message.type, iso(message.timestamp), data)

    return _fitting(message.data, body), {"content-type": "text/plain; charset=UTF-8"}


_FORMATS: dict[NotificationFormat, Callable[[_Message, str], _Written]] = {
    NotificationFormat.STANDARD_WEBHOOKS: _standard,
    NotificationFormat.SNS: _sns,
    NotificationFormat.CLOUDEVENTS: _structured,
    NotificationFormat.CLOUDEVENTS_BINARY: _binary,
    NotificationFormat.EMAIL: _email,
}


def _fitting(data: dict[str, Any], body: Callable[[dict[str, Any]], str]) -> str:
    written = body(data)
    return written if len(written.encode()) <= MAX_BODY else shrunk_data(data, body)


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
