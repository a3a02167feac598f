"""One round of release: whatever is due in the backlog goes back to the queue, as its webhook's health allows.

Each webhook is looked at by itself, and one that cannot be released holds up no other. An item is sent, then
removed: a crash in between sends it twice, with the same ids.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from aws_lambda_powertools import Logger

from lambdas.delivery.digests import Digests
from lambdas.delivery.health_transitions import HealthTransitions
from lambdas.delivery.ports import Clock, Count, Key, ParkedDeliveries, Queues, WebhookHealthStore
from lambdas.domain.ports import DelayedSender
from lambdas.domain.webhooks.backlog import Parked, Partition
from lambdas.domain.webhooks.delivery import expires_at
from lambdas.domain.webhooks.health import MAX_DRAIN, Health, HealthState, current, next_drain
from lambdas.domain.webhooks.target import Target
from lambdas.domain.webhooks.webhook import NotificationFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class Releaser:
    """Releases what is due."""

    queues: Queues
    states: WebhookHealthStore
    partitions: ParkedDeliveries
    digests: Digests
    transitions: HealthTransitions
    clock: Clock
    logger: Logger
    count: Count

    def release(self, *, deadline: datetime) -> None:
        """One round over all webhooks with something due, begun no later than *deadline*."""
        now = self.clock()
        due: dict[Key, list[Partition]] = {}
        for partition in self.partitions.due(now=now):
            due.setdefault((partition.instance_id, partition.webhook_id), []).append(partition)
        # after the partitions: health changes before a partition is woken
        targets = self.states.load(due, now=now, fresh=True)
        for key, partitions in due.items():
            if self.clock() >= deadline:
                self.logger.warning("release stopped at its deadline", extra={"webhooks": len(due)})
                return
            try:
                self._release(targets.get(key), partitions)
            except Exception:
                self.logger.exception("webhook not released", extra={"instance_id": key[0], "webhook_id": key[1]})
                self.count("ReleaseFaults", 1)

    def _release(self, target: Target | None, partitions: Sequence[Partition]) -> None:
        now = self.clock()
        if target is None:
            self._forget(partitions)
            return
        health = current(target.health, target.version, now=now)
        self.transitions.notify_again(target, now=now)
        if target.format is NotificationFormat.EMAIL:
            self._digest(target, partitions, now)
        elif health.state is HealthState.DISABLED:
            self._await_expiry(partitions, now)
        elif health.state is HealthState.FAILING:
            if health.may_probe(now=now):
                first = health.probes % len(partitions)
                self._probe([*partitions[first:], *partitions[:first]], now)  # through the slow queue: it may hang
        elif health.drain:
            self._drain(target, health, partitions, now)
        else:
            self._send_due(partitions, MAX_DRAIN, now, self._queue_of(health, now))

    def _forget(self, partitions: Sequence[Partition]) -> None:
        """The webhook is gone: nobody looks at its partitions any more, and the table forgets what they hold."""
        for partition in partitions:
            if self.partitions.rest(partition, until=None):
                ids = {"instance_id": partition.instance_id, "webhook_id": partition.webhook_id}
                self.logger.info("webhook deleted", extra={**ids, "waiting": partition.waiting})
                self.count("DeliveriesWebhookDeleted", partition.waiting)

    def _await_expiry(self, partitions: Sequence[Partition], now: datetime) -> None:
        """A disabled webhook's deliveries stay until they expire."""
        for partition in partitions:
            self._live(self.partitions.read(partition, until=now), now)
            left = self._live(self.partitions.read(partition, limit=1), now)
            self.partitions.rest(partition, until=expires_at(left[0].batch) if left and left[0].batch else None)

    def _probe(self, partitions: Sequence[Partition], now: datetime) -> None:
        """Send one parked message to a failing webhook. The delivering invocation claims the probe.

        Each probe begins with another partition, so that a delivery that alone is refused does not keep the webhook
        failing.
        """
        for partition in partitions:
            if found := self._live(self.partitions.read(partition, limit=1), now):
                self._send(found, self.queues.slow)
                return
            self._rest(partition)

    def _drain(self, target: Target, health: Health, partitions: Sequence[Partition], now: datetime) -> None:
        """After a recovery: all that was parked before it, oldest first, at the rate that health allows."""
        each = -(-health.drain // len(partitions)) + 1
        waiting = [
            list(islice(self._parked_before(partition, health.since or now, now), each)) for partition in partitions
        ]
        chosen = sorted((parked for some in waiting for parked in some), key=lambda parked: parked.due)[: health.drain]
        self._send(chosen, self._queue_of(health, now))
        left = sum(map(len, waiting)) > len(chosen) or any(len(some) == each for some in waiting)
        self.states.change(target, lambda latest: next_drain(latest, left=left) if latest.drain else latest)
        if not left:
            for partition in partitions:
                self._rest(partition)

    def _parked_before(self, partition: Partition, moment: datetime, now: datetime) -> Iterator[Parked]:
        """A partition's items that were parked before *moment*, or are due: what is refused after it climbs its retry
        schedule."""
        after = ""
        while page := self.partitions.read(partition, after=after, limit=50):
            yield from (one for one in self._live(page, now) if one.parked_at <= moment or one.due <= now)
            after = page[-1].sk

    def _send_due(self, partitions: Sequence[Partition], budget: int, now: datetime, queue: DelayedSender) -> None:
        """A healthy webhook's deliveries that are due."""
        for partition in partitions:
            page = self.partitions.read(partition, until=now, limit=budget + 1)
            live = self._live(page, now)
            self._send(live[:budget], queue)
            if len(page) <= budget:
                self._rest(partition)
            budget = max(1, budget - len(live))

    def _digest(self, target: Target, partitions: Sequence[Partition], now: datetime) -> None:
        """A notification_email's deliveries, gathered: at most one digest a minute, and only once someone hears."""
        if not self.digests.may_send(target, now=now):
            return
        gathered = self._live(
            [one for partition in partitions for one in self.partitions.read(partition, limit=20)], now
        )
        if gathered:
            self.digests.send(target, [one.batch for one in gathered if one.batch])
            self.partitions.remove(gathered)
        for partition in partitions:
            self._rest(partition)

    def _live(self, items: Iterable[Parked], now: datetime) -> list[Parked]:
        """The items that are still to be delivered; what expired goes, what cannot be read goes aside. Both alarm."""
        live = []
        for parked in items:
            ids = {"instance_id": parked.partition.instance_id, "webhook_id": parked.partition.webhook_id}
            if parked.batch is None:
                self.partitions.quarantine(parked)
                self.logger.error("parked deliveries unreadable", extra={**ids, "item": parked.sk})
                self.count("DeliveriesUnreadable", max(1, parked.count))
            elif expires_at(parked.batch) <= now:
                self.partitions.remove([parked])
                expired = [delivery.id for delivery in parked.batch.deliveries]
                self.logger.error("deliveries expired", extra={**ids, "deliveries": expired})
                self.count("DeliveriesExpired", len(expired))
            else:
                live.append(parked)
        return live

    def _queue_of(self, health: Health, now: datetime) -> DelayedSender:
        return self.queues.slow if health.is_in_doubt(now=now) else self.queues.prompt

    def _send(self, items: Sequence[Parked], queue: DelayedSender) -> None:
        if not items:
            return
        queue.send_later([(parked.batch, 0) for parked in items if parked.batch])
        self.partitions.remove(items)
        ids = {"instance_id": items[0].partition.instance_id, "webhook_id": items[0].partition.webhook_id}
        released = sum(parked.count for parked in items)
        self.logger.info("deliveries released", extra={**ids, "count": released, "messages": len(items)})
        self.count("DeliveriesReleased", released)

    def _rest(self, partition: Partition) -> None:
        """Let a partition rest until its next item is due, or for good when it has none."""
        following = self.partitions.read(partition, limit=1)
        self.partitions.rest(partition, until=following[0].due if following else None)
