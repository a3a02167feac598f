"""Find a mail: everything that is kept of one recipient or message id, newest first, in slices of time.

The ledger is kept for 30 days, delivered and waiting deliveries for 14. Nothing is indexed by address, so slices are
read through: from now back, each four times as long as the last while that is quick. A slice that takes longer than
PATIENCE is given up and read again as shorter ones: after a quiet night comes a busy day. A request ends after BUDGET
and says how far back it came; the next one goes on from there.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from lambdas.domain.reputation.ledger import LedgerEntry
from lambdas.domain.webhooks.backlog import Parked
from lambdas.domain.webhooks.batch import batch_id
from lambdas.domain.webhooks.delivery import KEPT_FOR, Delivery
from lambdas.domain.webhooks.target import Target
from lambdas.portal.ports import Archive, Backlog, Ledger

BUDGET = 8.0  # s of a request, after which no further slice is begun
FIRST_SLICE = timedelta(minutes=5)
SHORTEST_SLICE = timedelta(seconds=1)
GROWTH = 4
SHRINKING = 16
QUICK = 0.5  # s: a slice read in less than that is followed by a longer one
PATIENCE = 2.5  # s: a slice that takes longer is given up; with BUDGET well below the 29 s that a request may take
MAX_FOUND = 200  # in one answer
MAX_WAITING = 200  # parked items a partition that are looked at, of up to 50 deliveries each
SIDE_BY_SIDE = 8  # partitions read at a time
SHORTEST = 3  # characters that are searched for


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One thing that is known of a mail. `outcome` says what became of it, in words; `host` for which webhook."""

    at: datetime
    event: str
    message_id: str
    recipients: tuple[str, ...]
    subject: str
    detail: str
    outcome: str
    host: str = ""
    delivery_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a search goes on: deliveries made before `until`, ledger entries behind key `after` (empty: all).

    `width` is the length of the next slice: what was too slow once is not tried again by the next request.
    """

    until: datetime
    after: str = ""
    width: timedelta = FIRST_SLICE


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """The answer to one request, and where the next one goes on; `done` at the end of what is kept."""

    found: tuple[Found, ...]
    place: Place
    done: bool
    waiting_cut: bool = False
    cut: bool = False  # more matched than are shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Finder:
    """Searches an instance. *clock* measures the budget, s."""

    ledger: Ledger
    archive: Archive
    backlog: Backlog
    shards: int
    clock: Callable[[], float]

    def search(
        self,
        instance_id: str,
        needle: str,
        targets: Sequence[tuple[Target, str]],
        *,
        place: Place,
        now: datetime,
    ) -> Search:
        """What is known of *needle* from *place* back; *targets* are the instance's webhooks with their hosts."""
        wanted, spent = needle.lower(), _Stopwatch(self.clock)
        found, waiting_cut = self._waiting(wanted, targets) if place.until >= now else ([], False)
        ledger = _Reader(self.ledger.older(instance_id, after=place.after), place.after)
        end, width, oldest = place.until, place.width, now - KEPT_FOR
        while end > oldest and spent() < BUDGET and len(found) < MAX_FOUND:
            since, slice_spent = max(oldest, end - width), _Stopwatch(self.clock)
            try:
                found += self._archived(instance_id, wanted, targets, since=since, until=end, spent=slice_spent)
            except _TooSlow:
                width = max(SHORTEST_SLICE, width / SHRINKING)
                continue
            found += ledger.back_to(since, wanted, spent=slice_spent)
            end, width = since, width * (GROWTH if slice_spent() < QUICK else 1)
        while end <= oldest and not ledger.ended and spent() < BUDGET and len(found) < MAX_FOUND:
            found += ledger.some(wanted)
        found.sort(key=lambda one: one.at, reverse=True)
        return Search(
            found=tuple(found[:MAX_FOUND]),
            place=Place(until=end, after=ledger.after, width=min(width, FIRST_SLICE)),
            done=end <= oldest and ledger.ended,
            waiting_cut=waiting_cut,
            cut=len(found) > MAX_FOUND,
        )

    def _archived(
        self,
        instance_id: str,
        wanted: str,
        targets: Sequence[tuple[Target, str]],
        *,
        since: datetime,
        until: datetime,
        spent: Callable[[], float],
    ) -> list[Found]:
        """What was delivered in that time. Raises _TooSlow."""

        def read(part: tuple[Target, str, int]) -> list[Found]:
            target, host, shard = part
            found: list[Found] = []
            for at, batch in self.archive.between(instance_id, target.webhook_id, shard, since=since, until=until):
                if spent() > PATIENCE:
                    raise _TooSlow
                outcome = _delivered(at, batch.attempt)
                found += filter(None, (matching(one, wanted, outcome=outcome, host=host) for one in batch.deliveries))
            return found

        parts = [(target, host, shard) for target, host in targets for shard in range(self.shards)]
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            return [one for some in pool.map(read, parts) for one in some]

    def _waiting(self, wanted: str, targets: Sequence[tuple[Target, str]]) -> tuple[list[Found], bool]:
        """What waits, and whether only a part of it was read: the soonest due of each partition, for PATIENCE."""
        found: list[Found] = []
        cut, spent = False, _Stopwatch(self.clock)
        for target, host in targets:
            for partition in self.backlog.partitions(target.instance_id, target.webhook_id):
                if spent() > PATIENCE:
                    return found, True
                parked = self.backlog.read(partition, limit=MAX_WAITING)
                cut = cut or len(parked) == MAX_WAITING
                found += (match for one in parked for match in _waiting_in(one, wanted, target, host))
        return found, cut


class _TooSlow(Exception):
    """A slice took longer than PATIENCE."""


@dataclass(slots=True)
class _Stopwatch:
    """How long ago it was made, s."""

    clock: Callable[[], float]
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.clock()

    def __call__(self) -> float:
        return self.clock() - self.began


@dataclass(slots=True)
class _Reader:
    """Takes matching entries out of the ledger, and remembers how far it came."""

    entries: Iterator[LedgerEntry]
    after: str
    ended: bool = False

    def back_to(self, since: datetime, wanted: str, *, spent: Callable[[], float]) -> Iterator[Found]:
        """Those up to the first one that is older than *since*; after PATIENCE the next slice goes on from there."""
        for entry in self.entries:
            self.after = entry.key
            if is_of(entry, wanted):
                yield _of_ledger(entry, wanted)
            if entry.timestamp < since or spent() > PATIENCE:
                return
        self.ended = True

    def some(self, wanted: str) -> list[Found]:
        """Those among the next thousand."""
        entries = list(islice(self.entries, 1_000))
        self.ended = not entries
        self.after = entries[-1].key if entries else self.after
        return [_of_ledger(entry, wanted) for entry in entries if is_of(entry, wanted)]


def _waiting_in(parked: Parked, wanted: str, target: Target, host: str) -> Iterator[Found]:
    """What a parked item says of the mail, with the last attempt's result if the webhook's health still has it."""
    if parked.batch is None:
        return
    failed = {attempt.delivery: attempt for attempt in target.health.attempts}
    together = failed.get(batch_id(parked.batch.deliveries)) if parked.batch.fixed else None
    for delivery in parked.batch.deliveries:
        last = failed.get(delivery.id) or together
        outcome = _waits(parked.due, parked.batch.attempt, last.reason if last else "")
        if match := matching(delivery, wanted, outcome=outcome, host=host):
            yield match


def matching(delivery: Delivery, wanted: str, *, outcome: str, host: str) -> Found | None:
    """What *delivery* says of the mail, if it is about *wanted*: a part of an address or of a message id."""
    if wanted not in delivery.body.lower():
        return None
    facts = _facts(delivery)
    known = (facts["message_id"], *facts["recipients"])
    if not any(wanted in value.lower() for value in known):
        return None
    return Found(
        at=delivery.timestamp,
        event=delivery.type,
        outcome=outcome,
        host=host,
        delivery_id=delivery.id,
        **facts | {"recipients": foremost(facts["recipients"], wanted)},
    )


def _facts(delivery: Delivery) -> dict[str, Any]:
    """Message id, recipients, subject and detail of a delivery, whatever its format."""
    try:
        body = json.loads(delivery.body)
        if isinstance(body.get("Message"), str):
            return _of_source(json.loads(body["Message"]))
        return _of_data(body.get("data", body))
    except (ValueError, TypeError, AttributeError, KeyError):  # a digest's paragraph, or a body that was cut
        return {"message_id": "", "recipients": (delivery.body,), "subject": "", "detail": ""}


def _of_data(data: Mapping[str, Any]) -> dict[str, Any]:
    mail = data.get("mail") or {}
    recipients = data.get("recipients") or []
    addresses = [*(str(one.get("email", "")) for one in recipients), *map(str, mail.get("to") or ())]
    details = (f"{one.get('status') or ''} {one.get('diagnostic') or ''}".strip() for one in recipients)
    return {
        "message_id": str(data.get("message_id") or ""),
        "recipients": tuple(dict.fromkeys(address for address in addresses if address)),
        "subject": str(mail.get("subject") or ""),
        "detail": "; ".join(filter(None, details)),
    }


def _of_source(event: Mapping[str, Any]) -> dict[str, Any]:
    mail = event.get("mail") or {}
    headers = mail.get("commonHeaders") or {}
    return {
        "message_id": str(mail.get("messageId") or ""),
        "recipients": tuple(map(str, mail.get("destination") or ())),
        "subject": str(headers.get("subject") or ""),
        "detail": str(event.get("eventType") or event.get("notificationType") or ""),
    }


def foremost(recipients: Sequence[str], wanted: str) -> tuple[str, ...]:
    """*recipients*, those with *wanted* first: a table shows the first few of a mail's."""
    return tuple(sorted(recipients, key=lambda one: wanted not in one.lower()))


def is_of(entry: LedgerEntry, wanted: str) -> bool:
    """Whether *wanted*, in lower case, is part of the message id or of a recipient's address."""
    values: Iterable[str] = (entry.message_id or "", *entry.recipients)
    return any(wanted in value.lower() for value in values)


def _of_ledger(entry: LedgerEntry, wanted: str) -> Found:
    return Found(
        at=entry.timestamp,
        event=entry.kind.value,
        message_id=entry.message_id or "",
        recipients=foremost(entry.recipients, wanted),
        subject="",
        detail=entry.reason or "",
        outcome="counts in the rates",
    )


def _delivered(at: datetime, attempt: int) -> str:
    return f"delivered at {at:%d %b %H:%M:%S} UTC, attempt {attempt}"


def _waits(due: datetime, attempt: int, reason: str) -> str:
    failed = f"; the last attempt: {reason}" if reason else ""
    return f"waits until {due:%d %b %H:%M:%S} UTC for attempt {attempt}{failed}"
