"""Where deliveries go that an invocation did not complete: back to the queue, or into the backlog."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import ceil

from lambdas.delivery.attempts import PendingAttempt
from lambdas.delivery.gathering import after_refusal, is_refused
from lambdas.delivery.ports import DeliveryRules, Jitter
from lambdas.domain.webhooks.attempt import Attempt, Failed
from lambdas.domain.webhooks.delivery import (
    MAX_DELIVERIES,
    Delivery,
    DeliveryBatch,
    batched,
    created_at,
    expires_at,
)
from lambdas.domain.webhooks.health import HealthState
from lambdas.domain.webhooks.retry_schedule import JITTER
from lambdas.domain.webhooks.target import Target

MAX_DELAY = 900.0  # s: SQS's longest; longer waits are parked
PAUSE = 5.0  # s before what was put off behind a failure is attempted: the retry schedule's first wait


@dataclass(slots=True, kw_only=True)
class Reschedule:
    """Where one webhook's deliveries go: `later` to the queue with a delay in s, `parked` in the backlog until then.

    *slow*: to the slow queue. `exhausted` counts those whose retries are.
    """

    later: list[tuple[DeliveryBatch, float]] = field(default_factory=list)
    parked: list[tuple[DeliveryBatch, datetime]] = field(default_factory=list)
    exhausted: int = 0
    slow: bool = False

    def add(self, other: "Reschedule") -> None:
        """Add what *other* holds."""
        self.later += other.later
        self.parked += other.parked
        self.exhausted += other.exhausted


def park_all(target: Target, pending: Iterable[PendingAttempt]) -> Reschedule:
    """Park everything, due at once: release decides. By creation, so that a shard is read oldest first."""
    return Reschedule(parked=[(batch, created_at(batch)) for batch in _batches(target, pending)])


def put_off(target: Target, pending: Iterable[PendingAttempt], *, delay: float) -> Reschedule:
    """Send what was not begun again after *delay*, s, with the attempt number it had."""
    return Reschedule(later=[(batch, min(MAX_DELAY, delay)) for batch in _batches(target, pending)])


def await_probe(
    target: Target, pending: Iterable[PendingAttempt], *, rules: DeliveryRules, jitter: Jitter
) -> Reschedule:
    """Where deliveries go while another one probes the webhook: a failing webhook's are parked."""
    if target.health.state is HealthState.FAILING:
        return park_all(target, pending)
    return put_off(target, pending, delay=rules.health.waiting * (1 + JITTER * jitter()))


def after_attempts(
    target: Target,
    failed: Sequence[tuple[PendingAttempt, Attempt]],
    not_begun: Sequence[PendingAttempt],
    *,
    rules: DeliveryRules,
    jitter: Jitter,
    below_failure_limit: bool,
    now: datetime,
) -> Reschedule:
    """Where failed and not begun deliveries go, by the webhook's health after the attempts (in *target*).

    A healthy webhook's failures are retried by the retry schedule, a batch that was refused after its first wait or, in
    halves, at once; what was not begun waits only if the webhook failed too often (*below_failure_limit* is False), and
    if the webhook is probed, to make the next probe. A failing webhook's deliveries are parked, but for the next probe
    if it is due before release would look.
    """
    if target.health.state is not HealthState.HEALTHY:
        return _park_but_for_the_probe(target, failed, not_begun, rules.release_every, now)
    asked = _asked_wait(attempt for _, attempt in failed)
    whole = [pending for pending, attempt in failed if not is_refused(pending, _reason(attempt))]
    rescheduled = _retry(target, whole, asked, rules=rules, jitter=jitter, now=now)
    delay = 0.0 if below_failure_limit else max(PAUSE * (1 + JITTER * jitter()), asked or 0.0)
    if target.health.is_probed:
        delay = max(ceil(target.health.until_probe(now=now)), asked or 0.0)
    for again in _refused(failed):
        wait = rules.retry_schedule.waits[0] * (1 + JITTER * jitter()) if again.refused else delay
        rescheduled.add(put_off(target, [again], delay=wait))
    rescheduled.add(put_off(target, not_begun, delay=delay))
    return rescheduled


def _refused(failed: Iterable[tuple[PendingAttempt, Attempt]]) -> Iterator[PendingAttempt]:
    """What becomes of batches that were refused."""
    for pending, attempt in failed:
        if is_refused(pending, _reason(attempt)):
            yield from after_refusal(pending, _reason(attempt))


def _reason(attempt: Attempt) -> str:
    return attempt.outcome.reason if isinstance(attempt.outcome, Failed) else ""


def _park_but_for_the_probe(
    target: Target,
    failed: Sequence[tuple[PendingAttempt, Attempt]],
    not_begun: Sequence[PendingAttempt],
    release_every: float,
    now: datetime,
) -> Reschedule:
    whole = [
        replace(pending, fixed=pending.batch) for pending, made in failed if not is_refused(pending, _reason(made))
    ]
    rescheduled = park_all(target, [*whole, *_refused(failed), *not_begun])
    health = target.health
    soon = (health.probe_at - now).total_seconds() if health.state is HealthState.FAILING and health.probe_at else None
    if failed and rescheduled.parked and soon is not None and soon < release_every:
        probe, _ = rescheduled.parked.pop(0)
        rescheduled.later.append((probe, max(0.0, soon) + 1))  # a second late, so that it is due
    return rescheduled


def _retry(
    target: Target,
    failed: Sequence[PendingAttempt],
    asked: float | None,
    *,
    rules: DeliveryRules,
    jitter: Jitter,
    now: datetime,
) -> Reschedule:
    """Each failed delivery by its place in the retry schedule; those at its end are parked until they expire."""
    rescheduled = Reschedule()
    following = (replace(pending, number=pending.number + 1, fixed=pending.batch) for pending in failed)
    for batch in _batches(target, following):
        wait = rules.retry_schedule.wait(batch.attempt - 1, retry_after=asked, jitter=jitter())
        if wait is None:
            rescheduled.exhausted += len(batch.deliveries)
            rescheduled.parked.append((batch, expires_at(batch)))
        elif wait <= MAX_DELAY:
            rescheduled.later.append((batch, wait))
        else:
            rescheduled.parked.append((batch, now + timedelta(seconds=wait)))
    return rescheduled


def _asked_wait(attempts: Iterable[Attempt]) -> float | None:
    """The longest wait that a receiver asked for, s."""
    waits = [attempt.outcome.wait for attempt in attempts if isinstance(attempt.outcome, Failed)]
    return max((wait for wait in waits if wait is not None), default=None)


def _batches(target: Target, pending: Iterable[PendingAttempt]) -> Iterator[DeliveryBatch]:
    """Queue messages of *pending*: a fixed batch each, else one attempt number a message, oldest deliveries first."""
    by_number: dict[int, list[Delivery]] = {}
    for each in pending:
        if each.fixed:
            yield _message(target, each.number, each.deliveries, fixed=True, refused=each.refused)
        else:
            by_number.setdefault(each.number, []).extend(each.deliveries)
    for number, deliveries in by_number.items():
        oldest_first = sorted(deliveries, key=lambda delivery: delivery.created_at)
        for some in batched(oldest_first, most=max(MAX_DELIVERIES, target.batch)):
            yield _message(target, number, some)


def _message(
    target: Target, number: int, deliveries: tuple[Delivery, ...], *, fixed: bool = False, refused: int = 0
) -> DeliveryBatch:
    return DeliveryBatch(
        instance_id=target.instance_id,
        webhook_id=target.webhook_id,
        attempt=number,
        deliveries=deliveries,
        fixed=fixed,
        refused=refused,
    )
