"""Find a mail: everything that is kept of one recipient or message id, newest first, in slices of time.

The ledger is kept for 30 days, delivered and waiting deliveries for 14. Nothing is indexed by address, so slices are
read through: from now back, each four times as long as the last while that is quick. A request ends after BUDGET and
says how far back it came; the next one goes on from there.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from lambdas.domain.reputation.ledger import LedgerEntry
from lambdas.domain.webhooks.batch import batch_id
from lambdas.domain.webhooks.delivery import KEPT_FOR, Delivery
from lambdas.domain.webhooks.target import Target
from lambdas.portal.ports import Archive, Backlog, Ledger

BUDGET = 8.0  # s of a request, after which no further slice is begun
FIRST_SLICE = timedelta(hours=1)
GROWTH = 4
QUICK = 1.0  # s: a slice read in less than that is followed by a longer one
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
    """Where a search goes on: deliveries made before `until`, ledger entries behind key `after` (empty: all)."""

    until: datetime
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """The answer to one request, and where the next one goes on; `done` at the end of what is kept."""

    found: tuple[Found, ...]
    place: Place
    done: bool
    waiting_cut: bool = False


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
        wanted = needle.lower()
        began = self.clock()
        found, cut = self._waiting(wanted, targets) if place.until >= now else ([], False)
        ledger = _Reader(self.ledger.older(instance_id, after=place.after), place.after)
        end, width, oldest = place.until, FIRST_SLICE, now - KEPT_FOR
        while end > oldest and self.clock() - began < BUDGET and len(found) < MAX_FOUND:
            since, started = max(oldest, end - width), self.clock()
            found += self._archived(instance_id, wanted, targets, since=since, until=end)
            found += ledger.back_to(since, wanted)
            end, width = since, width * (GROWTH if self.clock() - started < QUICK else 1)
        while end <= oldest and not ledger.ended and self.clock() - began < BUDGET and len(found) < MAX_FOUND:
            found += ledger.some(wanted)
        found.sort(key=lambda one: one.at, reverse=True)
        done = end <= oldest and ledger.ended
        return Search(found=tuple(found), place=Place(until=end, after=ledger.after), done=done, waiting_cut=cut)

    def _archived(
        self,
        instance_id: str,
        wanted: str,
        targets: Sequence[tuple[Target, str]],
        *,
        since: datetime,
        until: datetime,
    ) -> list[Found]:
        def read(part: tuple[Target, str, int]) -> list[Found]:
            target, host, shard = part
            batches = self.archive.between(instance_id, target.webhook_id, shard, since=since, until=until)
            return [
                one
                for at, batch in batches
                for delivery in batch.deliveries
                if (one := matching(delivery, wanted, outcome=_delivered(at, batch.attempt), host=host))
            ]

        parts = [(target, host, shard) for target, host in targets for shard in range(self.shards)]
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            return [one for some in pool.map(read, parts) for one in some]

    def _waiting(self, wanted: str, targets: Sequence[tuple[Target, str]]) -> tuple[list[Found], bool]:
        found: list[Found] = []
        cut = False
        for target, host in targets:
            failed = {attempt.delivery: attempt for attempt in target.health.attempts}
            for partition in self.backlog.partitions(target.instance_id, target.webhook_id):
                parked = self.backlog.read(partition, limit=MAX_WAITING)
                cut = cut or len(parked) == MAX_WAITING
                for one in parked:
                    if one.batch is None:
                        continue
                    together = failed.get(batch_id(one.batch.deliveries)) if one.batch.fixed else None
                    for delivery in one.batch.deliveries:
                        last = failed.get(delivery.id) or together
                        outcome = _waits(one.due, one.batch.attempt, last.reason if last else "")
                        if match := matching(delivery, wanted, outcome=outcome, host=host):
                            found.append(match)
        return found, cut


@dataclass(slots=True)
class _Reader:
    """Takes matching entries out of the ledger, and remembers how far it came."""

    entries: Iterator[LedgerEntry]
    after: str
    ended: bool = False

    def back_to(self, since: datetime, wanted: str) -> Iterator[Found]:
        """Those up to the first one that is older than *since*."""
        for entry in self.entries:
            self.after = entry.key
            if _is_of(entry, wanted):
                yield _of_ledger(entry)
            if entry.timestamp < since:
                return
        self.ended = True

    def some(self, wanted: str) -> list[Found]:
        """Those among the next thousand."""
        entries = list(islice(self.entries, 1_000))
        self.ended = not entries
        self.after = entries[-1].key if entries else self.after
        return [_of_ledger(entry) for entry in entries if _is_of(entry, wanted)]


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
        **facts,
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


def _is_of(entry: LedgerEntry, wanted: str) -> bool:
    values: Iterable[str] = (entry.message_id or "", *entry.recipients)
    return any(wanted in value.lower() for value in values)


def _of_ledger(entry: LedgerEntry) -> Found:
    return Found(
        at=entry.timestamp,
        event=entry.kind.value,
        message_id=entry.message_id or "",
        recipients=entry.recipients,
        subject="",
        detail=entry.reason or "",
        outcome="counts in the rates",
    )


def _delivered(at: datetime, attempt: int) -> str:
    return f"delivered at {at:%d %b %H:%M:%S} UTC, attempt {attempt}"


def _waits(due: datetime, attempt: int, reason: str) -> str:
    failed = f"; the last attempt: {reason}" if reason else ""
    return f"waits until {due:%d %b %H:%M:%S} UTC for attempt {attempt}{failed}"
