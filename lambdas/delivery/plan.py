"""What becomes of the deliveries that an invocation did not get through: the queue again, or the backlog."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lambdas.delivery.ports import Spread
from lambdas.delivery.round import Job
from lambdas.domain.attempt import Attempt, Failed
from lambdas.domain.delivery import Delivery, DeliveryBatch, batched, created_at, expires_at
from lambdas.domain.health import State
from lambdas.domain.ladder import JITTER, Ladder
from lambdas.domain.target import Target

MAX_DELAY = 900.0  # s: SQS's longest; longer waits are parked
PAUSE = 5.0  # s before what was put off behind a failure is looked at again: the ladder's first wait


@dataclass(slots=True, kw_only=True)
class Plan:
    """Where deliveries go: `later` to the queue with a delay in s, `parked` in the backlog until then.

    `exhausted` counts those at their ladder's end.
    """

    later: list[tuple[DeliveryBatch, float]] = field(default_factory=list)
    parked: list[tuple[DeliveryBatch, datetime]] = field(default_factory=list)
    exhausted: int = 0


def park_all(target: Target, jobs: Iterable[Job]) -> Plan:
    """Park everything, due at once: release decides. By creation, so that a lane is read oldest first."""
    return Plan(parked=[(batch, created_at(batch)) for batch in _batches(target, jobs)])


def put_off(target: Target, jobs: Iterable[Job], *, delay: float, spread: Spread) -> Plan:
    """Send jobs that were not begun again, as the attempt they were."""
    return Plan(later=[(batch, min(MAX_DELAY, delay * (1 + JITTER * spread()))) for batch in _batches(target, jobs)])


def retry(
    target: Target, failed: Sequence[tuple[Job, Attempt]], *, ladder: Ladder, spread: Spread, now: datetime
) -> Plan:
    """Send failed deliveries of a healthy webhook up the ladder; those at its end are parked until they expire."""
    plan = Plan()
    asked = asked_wait(attempt for _, attempt in failed)
    for batch in _batches(target, (Job(delivery=job.delivery, attempt=job.attempt + 1) for job, _ in failed)):
        wait = ladder.wait(batch.attempt - 1, retry_after=asked, spread=spread())
        if wait is None:
            plan.exhausted += len(batch.deliveries)
            plan.parked.append((batch, expires_at(batch)))
        elif wait <= MAX_DELAY:
            plan.later.append((batch, wait))
        else:
            plan.parked.append((batch, now + timedelta(seconds=wait)))
    return plan


def settle(
    target: Target,
    failed: Sequence[tuple[Job, Attempt]],
    put_aside: Sequence[Job],
    *,
    ladder: Ladder,
    spread: Spread,
    release_every: float,
    patient: bool,
    now: datetime,
) -> Plan:
    """Where one webhook's failed and not begun deliveries go, by its health after the round (in *target*).

    A failing webhook's are parked; but the one that tries a failing webhook again soon, before release would look,
    goes back to the queue as its own probe.
    """
    health = target.health
    if health.state is not State.HEALTHY:
        plan = park_all(target, [job for job, _ in failed] + list(put_aside))
        soon = (health.probe_at - now).total_seconds() if health.state is State.FAILING and health.probe_at else None
        if failed and plan.parked and soon is not None and soon < release_every:
            plan.later.append((plan.parked.pop(0)[0], max(0.0, soon) + 1))  # a second late, so that it is due
        return plan
    plan = retry(target, failed, ladder=ladder, spread=spread, now=now)
    delay = 0.0 if patient else max(PAUSE, asked_wait(attempt for _, attempt in failed) or 0.0)
    plan.later += put_off(target, put_aside, delay=delay, spread=spread).later
    return plan


def asked_wait(attempts: Iterable[Attempt]) -> float | None:
    """The longest wait that a receiver asked for, s."""
    waits = [attempt.outcome.wait for attempt in attempts if isinstance(attempt.outcome, Failed)]
    return max((wait for wait in waits if wait is not None), default=None)


def _batches(target: Target, jobs: Iterable[Job]) -> Iterator[DeliveryBatch]:
    """Queue messages of *jobs*: one attempt number a message, oldest deliveries first."""
    by_attempt: dict[int, list[Delivery]] = {}
    for job in jobs:
        by_attempt.setdefault(job.attempt, []).append(job.delivery)
    for attempt, deliveries in by_attempt.items():
        for some in batched(sorted(deliveries, key=lambda delivery: delivery.created_at)):
            yield DeliveryBatch(
                instance_id=target.instance_id, webhook_id=target.webhook_id, attempt=attempt, deliveries=some
            )
