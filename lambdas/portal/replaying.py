"""Replaying: a webhook's deliveries go to the queue again, a step at a time, with the webhook-ids they had.

A step is sent, then saved, then what it sent is taken out of the backlog. A crash in between sends at most PAGE
batches twice, with the same ids, and loses none; progress counts each once. Two steps at once do no harm either: the
one that saves second stops.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from lambdas.domain.portal import Replay, ReplayState
from lambdas.domain.ports import DeliverySender
from lambdas.domain.webhooks.backlog import Parked
from lambdas.domain.webhooks.delivery import Delivery, DeliveryBatch, batched
from lambdas.domain.webhooks.webhook import WebhookId
from lambdas.portal.ports import Archive, Backlog, Replays

PAGE = 25  # batches, of up to 50 deliveries each, between two saves


@dataclass(frozen=True, slots=True)
class _Step:
    """What was sent: the replay as it goes on, and the parked items that are done with once that is saved."""

    following: Replay
    done_with: Sequence[Parked] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayer:
    """Makes steps. *shards* is how many partitions archive and backlog have each."""

    store: Replays
    archive: Archive
    backlog: Backlog
    queue: DeliverySender
    shards: int

    def run(
        self,
        instance_id: str,
        webhook_id: str,
        replay_id: str,
        *,
        time_left: Callable[[], bool],
        clock: Callable[[], datetime],
    ) -> bool:
        """Go on with a replay while there is *time_left*; whether more is to be done."""
        current = self.store.replay(instance_id, webhook_id)
        while current is not None and current.id == replay_id and current.state is ReplayState.RUNNING:
            step = self._step(current, now=clock())
            following = replace(step.following, touched_at=clock())
            if not self.store.save_replay(following):
                return False
            self.backlog.remove(step.done_with)
            current = replace(following, version=following.version + 1)
            if not time_left():
                return current.state is ReplayState.RUNNING
        return False

    def _step(self, current: Replay, *, now: datetime) -> _Step:
        if current.partition < self.shards:
            return self._from_archive(current, now)
        if current.partition < 2 * self.shards:
            return self._from_backlog(current, now)
        return _Step(replace(current, state=ReplayState.DONE))

    def _from_archive(self, current: Replay, now: datetime) -> _Step:
        batches, after = self.archive.step(
            current.instance_id,
            WebhookId(current.webhook_id),
            current.partition,
            since=current.since,
            until=current.began_at,
            after=current.after,
            limit=PAGE,
        )
        chosen = [one for batch in batches for one in batch.deliveries if current.delivery_id in ("", one.id)]
        return _Step(self._sent(current, chosen, after, now))

    def _from_backlog(self, current: Replay, now: datetime) -> _Step:
        """What waits since the time that is asked for goes at once, exhausted retries included."""
        partitions = self.backlog.partitions(current.instance_id, WebhookId(current.webhook_id))
        partition = next(
            (partition for partition in partitions if partition.shard == current.partition - self.shards), None
        )
        if partition is None:
            return _Step(self._sent(current, [], "", now))
        items = self.backlog.read(partition, after=current.after, limit=PAGE)
        chosen: list[Delivery] = []
        whole = []
        for item in items:
            deliveries = item.batch.deliveries if item.batch else ()
            fitting = [one for one in deliveries if self._is_asked_for(one, current)]
            chosen += fitting
            if fitting and len(fitting) == len(deliveries):
                whole.append(item)
        return _Step(self._sent(current, chosen, items[-1].sk if len(items) == PAGE else "", now), whole)

    def _is_asked_for(self, delivery: Delivery, current: Replay) -> bool:
        if delivery.created_at >= current.began_at:
            return False
        return delivery.id == current.delivery_id if current.delivery_id else delivery.created_at >= current.since

    def _sent(self, current: Replay, chosen: Sequence[Delivery], after: str, now: datetime) -> Replay:
        self.queue.send(_batches(current, chosen, now))
        following = replace(
            current, after=after, partition=current.partition + (not after), sent=current.sent + len(chosen)
        )
        found = bool(current.delivery_id and chosen)
        return replace(following, state=ReplayState.DONE) if found else following


def _batches(current: Replay, chosen: Iterable[Delivery], now: datetime) -> Iterator[DeliveryBatch]:
    """Oldest first; they live for 14 days from now, because they were asked for now."""
    fresh = (replace(delivery, created_at=now) for delivery in sorted(chosen, key=lambda one: one.created_at))
    for some in batched(fresh):
        yield DeliveryBatch(
            instance_id=current.instance_id, webhook_id=WebhookId(current.webhook_id), attempt=1, deliveries=some
        )
