"""Several events in one POST (`notification_batch`): which ones, under which webhook-id, in which body.

    standard-webhooks   {"type": "batch", "timestamp", "data": [<single bodies, each with its "id">]}
    cloudevents         a JSON array of structured events (CloudEvents, JSON event format, section 4)

A batch is built from bodies that are already written, so it holds each event to the byte. Its webhook-id is derived
from its events' ids in any order: the same events always have the same one.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from lambdas.domain.webhooks.delivery import Delivery, batched
from lambdas.domain.webhooks.timestamp import rfc3339
from lambdas.domain.webhooks.webhook import NotificationFormat

MAX_BATCH = 100  # events in one POST
MAX_GATHERING = 60  # s that events may be gathered
MAX_BODY = 256_000  # bytes of a batch; MAX_BYTES of single bodies and MAX_BATCH ids stay below it
TYPE = "batch"
REFUSED = {"400", "422"}  # the receiver refuses what the batch holds, perhaps one event of it
TOO_LARGE = "413"
MAX_AGE_APART = timedelta(hours=1)  # a parked batch expires with its oldest event

BATCHED_FORMATS = {
    NotificationFormat.STANDARD_WEBHOOKS: "application/json",
    NotificationFormat.CLOUDEVENTS: "application/cloudevents-batch+json",
}


def batch_id(deliveries: Iterable[Delivery]) -> str:
    """The webhook-id of the batch of *deliveries*."""
    ids = "\n".join(sorted(delivery.id for delivery in deliveries))
    return "msg_" + hashlib.sha256(f"{TYPE}\n{ids}".encode()).hexdigest()[:32]


def render_batch(deliveries: Sequence[Delivery]) -> Delivery:
    """What is posted for *deliveries*, at least one, all of one format of BATCHED_FORMATS."""
    format_ = deliveries[0].format
    timestamp = min(delivery.timestamp for delivery in deliveries)
    return Delivery(
        id=batch_id(deliveries),
        type=TYPE,
        timestamp=timestamp,
        created_at=min(delivery.created_at for delivery in deliveries),
        format=format_,
        body=_standard(deliveries, timestamp)
        if format_ is NotificationFormat.STANDARD_WEBHOOKS
        else _array(deliveries),
        headers={"content-type": BATCHED_FORMATS[format_]},
    )


def in_batches(deliveries: Iterable[Delivery], most: int) -> Iterator[tuple[Delivery, ...]]:
    """Split *deliveries* into batches of up to *most* events, in order: what one POST carries.

    A delivery whose format has no batches is alone, and so is what is much younger than those before it.
    """
    return batched(deliveries, most=most, together=_go_together)


def halves(deliveries: Sequence[Delivery]) -> tuple[tuple[Delivery, ...], tuple[Delivery, ...]]:
    """The two halves of a batch, in order."""
    middle = (len(deliveries) + 1) // 2
    return tuple(deliveries[:middle]), tuple(deliveries[middle:])


def gathering_delay(seconds: int, webhook_id: str, *, now: datetime) -> int:
    """How long, s, events that are fanned out *now* wait for more: until the end of the webhook's present window.

    Windows of *seconds* follow one another, so that all events of a window become visible at the same moment. Each
    webhook's begin at another moment.
    """
    if seconds <= 0:
        return 0
    begin = int(hashlib.sha256(webhook_id.encode()).hexdigest()[:8], 16)
    return seconds - (int(now.timestamp()) + begin) % seconds


def _go_together(first: Delivery, other: Delivery) -> bool:
    if first.format is not other.format or first.format not in BATCHED_FORMATS:
        return False
    return abs(other.created_at - first.created_at) <= MAX_AGE_APART


def _standard(deliveries: Sequence[Delivery], timestamp: datetime) -> str:
    entries = ",".join(f'{{"id":"{delivery.id}",{delivery.body[1:]}' for delivery in deliveries)
    return f'{{"type":"{TYPE}","timestamp":"{rfc3339(timestamp)}","data":[{entries}]}}'


def _array(deliveries: Sequence[Delivery]) -> str:
    return f"[{','.join(delivery.body for delivery in deliveries)}]"
