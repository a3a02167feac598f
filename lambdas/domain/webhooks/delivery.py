"""A delivery: one event for one webhook, rendered once, so that every attempt sends the same bytes."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from lambdas.domain.webhooks.webhook import NotificationFormat, WebhookId

MAX_DELIVERIES = 50  # in one queue message: keeps a message well under SQS's 1 MiB and a failure cheap to repeat
KEPT_FOR = timedelta(days=14)  # after fan-out the delivery expires; as long as SQS keeps a message
MAX_MESSAGE_ID = 200  # characters: SES's have 60; a forged event must not make a log line longer
MAX_BYTES = 240_000  # of bodies in one queue message: SQS bills by 64 KB, ten messages go in one call of 1 MiB


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event for one webhook.

    `id` is the `webhook-id` header, equal across retries, redeliveries and replays. `type` is the body's type
    (`email.bounced`, `webhook.test`, ...). `timestamp` is SES's time of the event. `created_at` is the time of the
    fan-out; expiry counts from it. `body` is posted byte for byte; `headers` are those that the format adds.
    `message_id` is SES's id of the mail, at most MAX_MESSAGE_ID characters, for log lines; None for a message that
    is not about a mail, such as a test.
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
    """Deliveries of one webhook that travel together as one queue message. `attempt` counts from 1.

    `fixed`: they are one POST of a webhook with `notification_batch`, and stay together. `refused` is how often that
    POST was answered with 400 or 422.
    """

    instance_id: str
    webhook_id: WebhookId
    attempt: int
    deliveries: tuple[Delivery, ...]
    fixed: bool = False
    refused: int = 0


def created_at(batch: DeliveryBatch) -> datetime:
    """When the oldest of a batch's deliveries was fanned out."""
    return min(delivery.created_at for delivery in batch.deliveries)


def expires_at(batch: DeliveryBatch) -> datetime:
    """When the oldest of a batch's deliveries expires."""
    return created_at(batch) + KEPT_FOR


def delivery_id(webhook_id: WebhookId, event_id: str) -> str:
    """The webhook-id. It is derived from the content, so that a second run makes the same id. No dots (Standard
    Webhooks).
    """
    return "msg_" + hashlib.sha256(f"{webhook_id}\n{event_id}".encode()).hexdigest()[:32]


def batched(
    deliveries: Iterable[Delivery],
    *,
    most: int = MAX_DELIVERIES,
    together: Callable[[Delivery, Delivery], bool] = lambda _first, _other: True,
) -> Iterator[tuple[Delivery, ...]]:
    """Split one webhook's deliveries into batches, in order: by default such as fit a queue message.

    A batch has up to *most* deliveries and MAX_BYTES, and only those that may go *together* with its first.
    """
    batch: list[Delivery] = []
    held = 0
    for delivery in deliveries:
        length = len(delivery.body.encode())
        if batch and (len(batch) >= most or held + length > MAX_BYTES or not together(batch[0], delivery)):
            yield tuple(batch)
            batch, held = [], 0
        batch.append(delivery)
        held += length
    if batch:
        yield tuple(batch)
