"""What one POST carries to a webhook with `notification_batch`: deliveries that are in an invocation together.

A batch's membership is stored before its first POST: it is the content of one queue message. Messages that arrive
together and are not full are sent to the queue again as fewer messages, and posted when those arrive; a message that is
posted as it came already is what is stored. Retries, redeliveries and parking keep it (`fixed`). A message that SQS
delivers for the second time may have been posted before a crash, so it is not gathered any more. A crash after messages
were gathered and before they were acknowledged sends their events twice, each with the id it had.
"""

from collections.abc import Iterator, Sequence

from lambdas.delivery.attempts import PendingAttempt
from lambdas.domain.webhooks.batch import BATCHED_FORMATS, REFUSED, TOO_LARGE, halves, in_batches
from lambdas.domain.webhooks.delivery import Delivery, DeliveryBatch
from lambdas.domain.webhooks.target import Target

TRIES = 2  # of a batch that is refused, before it is halved
HALVED_ATTEMPT = 2  # the number of what was refused: a batch that is halved seven times has not used up its retries


def pending_of(target: Target, batch: DeliveryBatch) -> list[PendingAttempt]:
    """What is posted of a queue message: as it is if it is fixed and no larger than the webhook wants it."""
    if target.batch <= 1:
        return [PendingAttempt(deliveries=(one,), number=batch.attempt) for one in batch.deliveries]
    split = list(in_batches(batch.deliveries, target.batch))
    refused = batch.refused if len(split) == 1 else 0
    return [_pending(some, batch.attempt, fixed=batch.fixed, refused=refused) for some in split]


def gathered(target: Target, pending: Sequence[PendingAttempt]) -> tuple[list[PendingAttempt], list[PendingAttempt]]:
    """What of *pending* is to be posted now, and the larger batches to be stored before they are posted.

    Nothing is gathered for a probe: it is whatever is there.
    """
    open_ = [one for one in pending if _is_open(one, target)]
    if len(open_) < 2 or target.health.is_probed:
        return list(pending), []
    as_they_came = {_ids(one.deliveries): one for one in open_}
    now = [one for one in pending if not _is_open(one, target)]
    larger = []
    for some in in_batches(_oldest_first(open_), target.batch):
        if same := as_they_came.get(_ids(some)):
            now.append(same)
        else:
            larger.append(_pending(some, 1, fixed=True))
    return now, larger


def is_refused(pending: PendingAttempt, reason: str) -> bool:
    """Whether an answer may be due to one event of a batch, or to its size."""
    return len(pending.deliveries) > 1 and reason in REFUSED | {TOO_LARGE}


def after_refusal(pending: PendingAttempt, reason: str) -> list[PendingAttempt]:
    """A refused batch as it is tried again: whole once, then halved; at once if it was too large."""
    number = max(HALVED_ATTEMPT, pending.number)
    refused = pending.refused + 1
    if reason != TOO_LARGE and refused < TRIES:
        return [_pending(pending.deliveries, number, fixed=True, refused=refused)]
    return [_pending(half, number, fixed=True) for half in halves(pending.deliveries)]


def _pending(deliveries: tuple[Delivery, ...], number: int, *, fixed: bool, refused: int = 0) -> PendingAttempt:
    batch = deliveries[0].format in BATCHED_FORMATS
    return PendingAttempt(deliveries=deliveries, number=number, batch=batch, fixed=fixed and batch, refused=refused)


def _is_open(pending: PendingAttempt, target: Target) -> bool:
    """Whether other deliveries may join: it was never posted, and there is room."""
    return pending.batch and not pending.fixed and pending.number == 1 and len(pending.deliveries) < target.batch


def _ids(deliveries: Sequence[Delivery]) -> tuple[str, ...]:
    return tuple(delivery.id for delivery in deliveries)


def _oldest_first(pending: Sequence[PendingAttempt]) -> Iterator[Delivery]:
    """Each delivery once: what was fanned out twice may have come together."""
    unique = {delivery.id: delivery for one in pending for delivery in one.deliveries}
    yield from sorted(unique.values(), key=lambda delivery: (delivery.format, delivery.created_at))
