"""A delivery: one event for one webhook, rendered once, so that every attempt carries the same bytes."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from lambdas.domain.webhooks.webhook import NotificationFormat, WebhookId

MAX_DELIVERIES = 50  # in one queue message: keeps a message well under SQS's 1 MiB and a failure cheap to repeat
KEPT_FOR = timedelta(days=14)  # from fan-out, then it expires; as long as SQS keeps a message
MAX_MESSAGE_ID = 200  # characters: SES's have 60; an event made by hand must not make a log line grow
MAX_BYTES = 240_000  # of bodies in one queue message: SQS bills by 64 KB, ten messages go in one call of 1 MiB


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event for one webhook.

    `id` is the `webhook-id` header, equal over retries, redeliveries and replays. `type` is the body's type
    (`email.bounced`, `webhook.test`, ...), `timestamp` when SES says it happened, `created_at` when it was fanned out:
    what expires, expires from there. `body` is what is posted, to the byte; `headers` are those the format adds.
    `message_id` is SES's id of the mail, at most MAX_MESSAGE_ID characters, so that a log line can name it; None for a
    message of our own, such as a test.
    """

    id: str
    type: str
    timestamp: datetime
    created_at: datetime
    format: NotificationFormat
    body: str
    headers: dict[str, str]
    message_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryBatch:
    """Deliveries of one webhook that travel together as one queue message. `attempt` counts from 1."""

    instance_id: str
    webhook_id: WebhookId
    attempt: int
    deliveries: tuple[Delivery, ...]


def created_at(batch: DeliveryBatch) -> datetime:
    """When the oldest of a batch's deliveries was fanned out."""
    return min(delivery.created_at for delivery in batch.deliveries)


def expires_at(batch: DeliveryBatch) -> datetime:
    """When the oldest of a batch's deliveries expires."""
    return created_at(batch) + KEPT_FOR


def delivery_id(webhook_id: WebhookId, event_id: str) -> str:
    """The webhook-id: from content, so that a second run makes the same one. No dots (Standard Webhooks)."""
    return "msg_" + hashlib.sha256(f"{webhook_id}\n{event_id}".encode()).hexdigest()[:32]


def batched(deliveries: Iterable[Delivery]) -> Iterator[tuple[Delivery, ...]]:
    """Split one webhook's deliveries into what fits a queue message, in order."""
    batch: list[Delivery] = []
    size = 0
    for delivery in deliveries:
        length = len(delivery.body.encode())
        if batch and (len(batch) == MAX_DELIVERIES or size + length > MAX_BYTES):
            yield tuple(batch)
            batch, size = [], 0
        batch.append(delivery)
        size += length
    if batch:
        yield tuple(batch)
