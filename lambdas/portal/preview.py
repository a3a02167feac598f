"""What a receiver gets: one bounce, written in each format by the very code that delivers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from lambdas.domain.events.feedback_event import Bounce, BounceClass, EventType, FeedbackEvent, Mail, Recipient
from lambdas.domain.webhooks.batch import BATCHED_FORMATS, render_batch
from lambdas.domain.webhooks.payload import render_event
from lambdas.domain.webhooks.webhook import WEBHOOK_FORMATS, Webhook

_MESSAGE_ID = "0100019a0b1c2d3e-EXAMPLE-000000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A body in one format, indented for reading, with the headers that the format adds."""

    format: str
    headers: Mapping[str, str]
    body: str


def previews(webhook: Webhook, *, topic_arn: str, now: datetime) -> tuple[Preview, ...]:
    """The example in every format, the webhook's own first; as a batch if the webhook wants batches."""
    formats = sorted(WEBHOOK_FORMATS, key=lambda format_: format_ is not webhook.format)
    made = []
    for format_ in formats:
        written = render_event(
            _example(webhook.instance_id, now), replace(webhook, format=format_), topic_arn=topic_arn, now=now
        )
        if webhook.batch > 1 and format_ in BATCHED_FORMATS:
            written = render_batch([written])
        body = json.dumps(json.loads(written.body), indent=2, ensure_ascii=False)
        made.append(Preview(format=format_.value, headers=written.headers, body=body))
    return tuple(made)


def _example(instance_id: str, now: datetime) -> FeedbackEvent:
    mail = Mail(
        message_id=_MESSAGE_ID,
        sent_at=now,
        sender="app@example.com",
        destination=("nobody@example.net",),
        subject="Your order",
        tags={},
    )
    recipient = Recipient(email="nobody@example.net", status="5.1.1", diagnostic="smtp; 550 5.1.1 user unknown")
    detail = Bounce(
        bounce_class=BounceClass.PERMANENT, subtype="NoEmail", feedback_id=_MESSAGE_ID, counts=True, counted=1
    )
    source = {
        "eventType": "Bounce",
        "mail": {"messageId": _MESSAGE_ID, "destination": ["nobody@example.net"]},
        "bounce": {"bounceType": "Permanent", "bounceSubType": "NoEmail"},
    }
    return FeedbackEvent(
        id="example",
        type=EventType.BOUNCE,
        timestamp=now,
        mail=mail,
        recipients=(recipient,),
        detail=detail,
        configuration_set=None,
        instance_id=instance_id,
        binding_id=None,
        source=json.dumps(source),
    )
