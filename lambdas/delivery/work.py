"""What one webhook is sent in an invocation, and how it is begun: by its health."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lambdas.delivery.plan import Plan
from lambdas.delivery.ports import Key
from lambdas.delivery.round import FIRST_WIDTH, PATIENCE, Job, Share
from lambdas.domain.delivery import DeliveryBatch
from lambdas.domain.health import FAILURES, Health, State
from lambdas.domain.target import Target
from lambdas.domain.webhook import NotificationFormat

TEST = "webhook.test"  # the type of a delivery that never touches health
SUSPECT_PAUSE = timedelta(seconds=4)  # after the last of many failures: below the ladder's first wait, jitter included


@dataclass(slots=True, kw_only=True)
class Work:
    """One webhook's deliveries in this invocation, the queue messages they came in, and what becomes of them.

    `shares` are what is tried (jobs, and tests apart), `plan` where the rest goes. `fault` marks a fault of our own:
    the messages come back.
    """

    target: Target
    messages: list[str] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    tests: list[Job] = field(default_factory=list)
    share: Share | None = None
    test_share: Share | None = None
    plan: Plan = field(default_factory=Plan)
    fault: bool = False

    @property
    def ids(self) -> dict[str, str]:
        """What a log line says of it."""
        return {"instance_id": self.target.instance_id, "webhook_id": self.target.webhook_id}


def by_webhook(batches: Mapping[str, DeliveryBatch], targets: Mapping[Key, Target]) -> list[Work]:
    """The work of each webhook that still is, from *batches* by message id. A digest's test is read in the digest."""
    works: dict[Key, Work] = {}
    for message_id, batch in batches.items():
        key = (batch.instance_id, batch.webhook_id)
        if key not in targets:
            continue
        work = works.setdefault(key, Work(target=targets[key]))
        work.messages.append(message_id)
        for delivery in batch.deliveries:
            is_test = delivery.type == TEST and work.target.format is not NotificationFormat.EMAIL
            jobs = work.tests if is_test else work.jobs
            jobs.append(Job(delivery=delivery, attempt=batch.attempt))
    return list(works.values())


def is_parked(target: Target, *, now: datetime) -> bool:
    """Whether a webhook's deliveries are parked without a try. Digests gather in the backlog, too."""
    if target.format is NotificationFormat.EMAIL or target.health.state is State.DISABLED:
        return True
    return target.health.state is State.FAILING and not target.health.may_probe(now=now)


def is_suspect(health: Health, *, now: datetime) -> bool:
    """Whether a healthy webhook failed so often and so lately that its deliveries are better put off."""
    return (
        health.state is State.HEALTHY
        and health.failures >= FAILURES
        and health.last_failure is not None
        and now - health.last_failure < SUSPECT_PAUSE
    )


def share_of(target: Target, keys: tuple[bytes, ...], headers: Mapping[str, str], jobs: Iterable[Job]) -> Share:
    """How much of an invocation a webhook gets: one try for a failing one, little for one that failed lately."""
    width, patience = FIRST_WIDTH, PATIENCE
    if target.health.state is not State.HEALTHY:
        width, patience = 1, 1
    elif target.health.failures:
        width, patience = 1, 2
    return Share(target=target, keys=keys, headers=headers, jobs=deque(jobs), width=width, patience=patience)


def share_of_tests(target: Target, keys: tuple[bytes, ...], headers: Mapping[str, str], jobs: Iterable[Job]) -> Share:
    """Tests are tried whatever the health, and all of them."""
    waiting = deque(jobs)
    return Share(target=target, keys=keys, headers=headers, jobs=waiting, width=1, patience=len(waiting) + 1)
