"""What delivery logs and counts: outcomes, with the ids that `ops trace` follows."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from aws_lambda_powertools import Logger

from lambdas.delivery.attempts import AttemptSeries, PendingAttempt
from lambdas.delivery.ports import Count
from lambdas.delivery.webhook_deliveries import WebhookDeliveries
from lambdas.domain.log_lines import shared_lines
from lambdas.domain.webhooks.attempt import Attempt, Delivered, Failed, ReceiverGone
from lambdas.domain.webhooks.delivery import DeliveryBatch
from lambdas.domain.webhooks.service_level import TARGET_SECONDS, first_attempt_seconds

ATTEMPT_FACTS = ("delivery_id", "attempt", "status", "ms")  # of an attempt in `attempts succeeded`, in order
MAX_SAMPLE = 100  # values of a metric that one EMF line may hold


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryLog:
    """Logs and counts what becomes of deliveries."""

    logger: Logger
    count: Count
    seconds: Callable[[str, Sequence[float]], None]  # records values of a metric, in seconds

    def webhook_gone(self, batch: DeliveryBatch) -> None:
        """The webhook went with its last binding."""
        ids = {"instance_id": batch.instance_id, "webhook_id": batch.webhook_id}
        self.logger.info("webhook deleted", extra={**ids, "deliveries": [one.id for one in batch.deliveries]})
        self.count("DeliveriesWebhookDeleted", len(batch.deliveries))

    def tested(self, one: WebhookDeliveries, pending: PendingAttempt, attempt: Attempt) -> None:
        """A webhook test was attempted."""
        self.logger.info("webhook tested", extra={**one.ids, **_facts(pending, attempt)})

    def attempted(self, one: WebhookDeliveries) -> None:
        """Log a webhook's failed attempts and its batches, a line each, with the ids that `ops trace` follows: the
        mail's, the delivery's, the instance's. Count them all.
        """
        delivered = failed = 0
        for pending, attempt in one.attempts.made if one.attempts else ():
            if not isinstance(attempt.outcome, Delivered):
                failed += len(pending.deliveries)
                self.logger.warning("attempt failed", extra={**one.ids, **_facts(pending, attempt)})
                continue
            delivered += len(pending.deliveries)
            if pending.batch:
                self.logger.info("attempt succeeded", extra={**one.ids, **_facts(pending, attempt)})
        for name, number in (("DeliveriesMade", delivered), ("DeliveriesFailed", failed)):
            if number:
                self.count(name, number)

    def succeeded(self, webhooks: Iterable[WebhookDeliveries]) -> None:
        """Log the other attempts of an invocation that succeeded.

        A line for each would cost more than the tables (docs/cost.md), so many share one, as lists of ATTEMPT_FACTS by
        webhook; the mail's id stands in feedback's log, beside the delivery's.
        """
        rows = [(one, pending, attempt) for one in webhooks for pending, attempt in _singles(one)]
        match rows:
            case [(one, pending, attempt)]:
                self.logger.info("attempt succeeded", extra={**one.ids, **_facts(pending, attempt)})
            case several:
                by_ids = ((tuple(one.ids.values()), _row(pending, attempt)) for one, pending, attempt in several)
                for grouped in shared_lines(by_ids):
                    self.logger.info("attempts succeeded", extra={"webhooks": grouped})

    def service_level(self, webhooks: Iterable[WebhookDeliveries]) -> None:
        """Count the first attempts of an invocation and those that were late; record a sample of their seconds."""
        waits = [wait for one in webhooks if one.attempts for wait in _first_attempts(one.attempts)]
        if not waits:
            return
        self.count("FirstAttempts", len(waits))
        self.count("FirstAttemptsLate", sum(wait > TARGET_SECONDS for wait in waits))
        self.seconds("EventToWebhookSeconds", waits[:: len(waits) // MAX_SAMPLE + 1])

    def rescheduled(self, one: WebhookDeliveries) -> None:
        """What was parked, and what has no retries left."""
        if one.reschedule.parked:
            parked = sum(len(batch.deliveries) for batch, _ in one.reschedule.parked)
            messages = len(one.reschedule.parked)
            self.logger.info("deliveries parked", extra={**one.ids, "count": parked, "messages": messages})
            self.count("DeliveriesParked", parked)
        if one.reschedule.exhausted:
            self.logger.warning("retries exhausted", extra={**one.ids, "count": one.reschedule.exhausted})
            self.count("DeliveriesExhausted", one.reschedule.exhausted)

    def not_archived(self, items: int) -> None:
        """Deliveries were made that cannot be replayed."""
        self.count("DeliveriesNotKept", items)

    def faulted(self, one: WebhookDeliveries) -> None:
        """An exception of our own is being handled; the webhook's messages come back."""
        self.logger.exception("deliveries not rescheduled", extra={**one.ids, "messages": one.messages})
        self.count("DeliveryFaults", 1)


def _singles(one: WebhookDeliveries) -> Iterator[tuple[PendingAttempt, Attempt]]:
    """Attempts that succeeded and carried one event."""
    for pending, attempt in one.attempts.made if one.attempts else ():
        if isinstance(attempt.outcome, Delivered) and not pending.batch:
            yield pending, attempt


def _first_attempts(series: AttemptSeries) -> Iterator[float]:
    """Their seconds, an event each, without the time for which the webhook wanted events to be gathered."""
    for pending, attempt in series.made:
        for delivery in pending.deliveries:
            wait = first_attempt_seconds(delivery, series.target.health, attempt=pending.number, began=attempt.began)
            if wait is not None:
                yield max(0.0, wait - series.target.batch_seconds)


def status_of(attempt: Attempt) -> str:
    """The status that the receiver answered, or why there was none."""
    match attempt.outcome:
        case Delivered(status=status):
            return str(status)
        case Failed(reason=reason) | ReceiverGone(reason=reason):
            return reason


def excerpt_of(attempt: Attempt) -> str:
    """What the receiver answered to an attempt that failed."""
    return "" if isinstance(attempt.outcome, Delivered) else attempt.outcome.excerpt


def _row(pending: PendingAttempt, attempt: Attempt) -> tuple[object, ...]:
    """An attempt's ATTEMPT_FACTS."""
    return attempt.delivery.id, pending.number, status_of(attempt), _milliseconds(attempt)


def _milliseconds(attempt: Attempt) -> int:
    return round((attempt.ended - attempt.began).total_seconds() * 1000)


def _facts(pending: PendingAttempt, attempt: Attempt) -> dict[str, object]:
    """Of a batch, the ids of its events too: one line for all of them."""
    events = pending.deliveries if pending.batch else ()
    mails = [delivery.message_id for delivery in events if delivery.message_id]
    return {
        "message_id": attempt.delivery.message_id,
        "delivery_id": attempt.delivery.id,
        "type": attempt.delivery.type,
        **({"deliveries": [delivery.id for delivery in events], "message_ids": mails} if events else {}),
        "attempt": pending.number,
        "status": status_of(attempt),
        "ms": _milliseconds(attempt),
    }
