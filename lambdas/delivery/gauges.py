"""What waits in the backlog, measured every few minutes: how much, how old, and for how many unwell webhooks.

Read from the sparse index of marks, one small item for each shard of a webhook that has anything parked; an idle stack
reads nothing. The age is that of the oldest delivery in a few partitions, those that are most likely to hold it: they
have been due for longest (a failing webhook's), or are due last of all (a disabled webhook's, at their expiry).
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from aws_lambda_powertools import Logger

from lambdas.delivery.ports import Count, Key, ParkedDeliveries, WebhookHealthStore
from lambdas.domain.webhooks.backlog import Partition
from lambdas.domain.webhooks.delivery import created_at
from lambdas.domain.webhooks.health import HealthState, current

EVERY = timedelta(minutes=5)  # one period of the metrics; release runs each minute, give or take some seconds
SLACK = timedelta(seconds=30)
MOST = 100_000  # marks in one measurement: 25 MB, some 3,000 read units, seconds
SAMPLED = 10  # partitions of each kind whose first item is read
RETRIED_WITHIN = timedelta(days=1, hours=3)  # the longest wait for a retry, with its jitter: later is an expiry


@dataclass(kw_only=True)
class BacklogGauges:
    """Measures the backlog at most once in EVERY, in this process. *seconds* records a metric in seconds."""

    partitions: ParkedDeliveries
    states: WebhookHealthStore
    count: Count
    seconds: Callable[[str, Sequence[float]], None]
    logger: Logger
    measured: datetime | None = field(default=None, init=False)

    def record_if_due(self, *, now: datetime) -> None:
        """Record the metrics. A failure is logged: it must not keep anything from being released."""
        if self.measured and now - self.measured < EVERY - SLACK:
            return
        self.measured = now
        try:
            self._record(now)
        except Exception:
            self.logger.exception("backlog not measured")

    def _record(self, now: datetime) -> None:
        marked = list(islice(self.partitions.marked(), MOST))
        if len(marked) == MOST:
            self.logger.warning("backlog measured in part", extra={"partitions": MOST})
        self.count("BacklogWaiting", sum(partition.waiting for partition, _ in marked))
        self.seconds("BacklogOldestSeconds", [self._oldest(marked, now)])
        keys: list[Key] = list(dict.fromkeys((one.instance_id, one.webhook_id) for one, _ in marked))
        targets = self.states.load(keys, now=now).values()
        states = [current(target.health, target.version, now=now).state for target in targets]
        self.count("BacklogWebhooksFailing", states.count(HealthState.FAILING))
        self.count("BacklogWebhooksDisabled", states.count(HealthState.DISABLED))

    def _oldest(self, marked: Sequence[tuple[Partition, datetime]], now: datetime) -> float:
        """The age of the oldest delivery in the partitions that are most likely to hold it, s; 0 without any."""
        overdue = (one for one in marked if one[1] <= now)
        expiring = (one for one in marked if one[1] > now + RETRIED_WITHIN)
        chosen = [heapq.nsmallest(SAMPLED, some, key=lambda one: one[1]) for some in (overdue, expiring)]
        first = (self.partitions.read(partition, limit=1) for some in chosen for partition, _ in some)
        batches = (parked.batch for page in first for parked in page if parked.batch)
        return max(((now - created_at(batch)).total_seconds() for batch in batches), default=0.0)
