"""One round of release: whatever is due in the backlog goes back to the queue, as its webhook's health allows.

Each webhook is looked at by itself, and one that cannot be released holds up no other. An item is sent first and taken
out then: a death in between sends it twice, with the same ids.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Protocol

from aws_lambda_powertools import Logger

from lambdas.aws.backlog import Lane, Parked
from lambdas.delivery.digest import Digests
from lambdas.delivery.ports import Clock, Count, Key, Queue, States
from lambdas.delivery.transitions import Transitions
from lambdas.domain.delivery import expires_at
from lambdas.domain.health import MAX_DRAIN, Health, State, current, next_drain
from lambdas.domain.target import Target
from lambdas.domain.webhook import NotificationFormat


class Lanes(Protocol):
    """The backlog, from the side that empties it."""

    def due(self, *, now: datetime) -> Iterator[Lane]:
        """The lanes with something due."""
        ...

    def read(self, lane: Lane, *, until: datetime | None = None, after: str = "", limit: int = 1000) -> list[Parked]:
        """A lane's parked items, soonest due first."""
        ...

    def remove(self, parked: Iterable[Parked]) -> None:
        """Take items out that were not parked again since."""
        ...

    def set_aside(self, parked: Parked) -> None:
        """Move an unreadable item out of the way."""
        ...

    def rest(self, lane: Lane, *, until: datetime | None) -> bool:
        """Clear or move the lane's mark unless something was parked since."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Releaser:
    """Releases what is due."""

    queue: Queue
    states: States
    lanes: Lanes
    digests: Digests
    transitions: Transitions
    clock: Clock
    logger: Logger
    count: Count

    def release(self, *, deadline: datetime) -> None:
        """One round over all webhooks with something due, begun no later than *deadline*."""
        now = self.clock()
        due: dict[Key, list[Lane]] = {}
        for lane in self.lanes.due(now=now):
            due.setdefault((lane.instance_id, lane.webhook_id), []).append(lane)
        targets = self.states.load(due, now=now, fresh=True)  # after the lanes: whoever wakes one changed health first
        for key, lanes in due.items():
            if self.clock() >= deadline:
                self.logger.warning("release cut short", extra={"webhooks": len(due)})
                return
            try:
                self._release(targets.get(key), lanes)
            except Exception:
                self.logger.exception("webhook not released", extra={"instance_id": key[0], "webhook_id": key[1]})
                self.count("ReleaseFaults", 1)

    def _release(self, target: Target | None, lanes: Sequence[Lane]) -> None:
        now = self.clock()
        if target is None:
            self._forget(lanes)
            return
        health = current(target.health, target.version, now=now)
        self.transitions.tell_again(target, now=now)
        if target.format is NotificationFormat.EMAIL:
            self._digest(target, lanes, now)
        elif health.state is State.DISABLED:
            self._await_expiry(lanes, now)
        elif health.state is State.FAILING:
            if health.may_probe(now=now):
                first = health.probes % len(lanes)
                self._probe([*lanes[first:], *lanes[:first]], now)
        elif health.drain:
            self._drain(target, health, lanes, now)
        else:
            self._send_due(lanes, MAX_DRAIN, now)

    def _forget(self, lanes: Sequence[Lane]) -> None:
        """The webhook is gone: nobody looks at its lanes any more, and the table forgets what they hold."""
        for lane in lanes:
            if self.lanes.rest(lane, until=None):
                ids = {"instance_id": lane.instance_id, "webhook_id": lane.webhook_id}
                self.logger.info("webhook gone", extra={**ids, "waiting": lane.waiting})
                self.count("DeliveriesWebhookGone", lane.waiting)

    def _await_expiry(self, lanes: Sequence[Lane], now: datetime) -> None:
        """A disabled webhook's deliveries stay until they expire."""
        for lane in lanes:
            self._live(self.lanes.read(lane, until=now), now)
            left = self._live(self.lanes.read(lane, limit=1), now)
            self.lanes.rest(lane, until=expires_at(left[0].batch) if left and left[0].batch else None)

    def _probe(self, lanes: Sequence[Lane], now: datetime) -> None:
        """Send one parked message to a failing webhook: whoever delivers it claims the probe and tries the first.

        Each probe begins with another lane, so that a delivery that alone is refused does not keep the webhook failing.
        """
        for lane in lanes:
            if found := self._live(self.lanes.read(lane, limit=1), now):
                self._send(found)
                return
            self._rest(lane)

    def _drain(self, target: Target, health: Health, lanes: Sequence[Lane], now: datetime) -> None:
        """After a recovery: all that was parked before it, oldest first, at the rate that health allows."""
        each = -(-health.drain // len(lanes)) + 1
        waiting = [list(islice(self._parked_before(lane, health.since or now, now), each)) for lane in lanes]
        chosen = sorted((parked for some in waiting for parked in some), key=lambda parked: parked.due)[: health.drain]
        self._send(chosen)
        left = sum(map(len, waiting)) > len(chosen) or any(len(some) == each for some in waiting)
        self.states.change(target, lambda latest: next_drain(latest, left=left) if latest.drain else latest)
        if not left:
            for lane in lanes:
                self._rest(lane)

    def _parked_before(self, lane: Lane, moment: datetime, now: datetime) -> Iterator[Parked]:
        """A lane's items that were parked before *moment*, or are due: what is refused after it climbs its ladder."""
        after = ""
        while page := self.lanes.read(lane, after=after, limit=50):
            yield from (one for one in self._live(page, now) if one.parked_at <= moment or one.due <= now)
            after = page[-1].sk

    def _send_due(self, lanes: Sequence[Lane], budget: int, now: datetime) -> None:
        """A healthy webhook's deliveries that are due."""
        for lane in lanes:
            page = self.lanes.read(lane, until=now, limit=budget + 1)
            live = self._live(page, now)
            self._send(live[:budget])
            if len(page) <= budget:
                self._rest(lane)
            budget = max(1, budget - len(live))

    def _digest(self, target: Target, lanes: Sequence[Lane], now: datetime) -> None:
        """A notification_email's deliveries, gathered: at most one digest a minute, and only once someone hears."""
        if not self.digests.may_send(target, now=now):
            return
        gathered = self._live([one for lane in lanes for one in self.lanes.read(lane, limit=20)], now)
        if gathered:
            self.digests.send(target, [one.batch for one in gathered if one.batch])
            self.lanes.remove(gathered)
        for lane in lanes:
            self._rest(lane)

    def _live(self, items: Iterable[Parked], now: datetime) -> list[Parked]:
        """The items that are still to be delivered; what expired goes, what cannot be read goes aside. Both alarm."""
        live = []
        for parked in items:
            ids = {"instance_id": parked.lane.instance_id, "webhook_id": parked.lane.webhook_id}
            if parked.batch is None:
                self.lanes.set_aside(parked)
                self.logger.error("parked deliveries unreadable", extra={**ids, "item": parked.sk})
                self.count("DeliveriesUnreadable", max(1, parked.count))
            elif expires_at(parked.batch) <= now:
                self.lanes.remove([parked])
                expired = [delivery.id for delivery in parked.batch.deliveries]
                self.logger.error("deliveries expired", extra={**ids, "deliveries": expired})
                self.count("DeliveriesExpired", len(expired))
            else:
                live.append(parked)
        return live

    def _send(self, items: Sequence[Parked]) -> None:
        if not items:
            return
        self.queue.send_later([(parked.batch, 0) for parked in items if parked.batch])
        self.lanes.remove(items)
        ids = {"instance_id": items[0].lane.instance_id, "webhook_id": items[0].lane.webhook_id}
        released = sum(parked.count for parked in items)
        self.logger.info("deliveries released", extra={**ids, "count": released, "messages": len(items)})
        self.count("DeliveriesReleased", released)

    def _rest(self, lane: Lane) -> None:
        """Let a lane rest until its next item is due, or for good when it has none."""
        following = self.lanes.read(lane, limit=1)
        self.lanes.rest(lane, until=following[0].due if following else None)
