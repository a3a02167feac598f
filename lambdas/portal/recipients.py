"""Find a recipient in the ledgers of all instances: bounces and complaints that count, kept for 30 days.

Nothing is indexed by address: every bounce would pay for a question that is asked rarely. So the ledgers are read, in
the order of the instances' ids, SIDE_BY_SIDE instances at a time, each from its newest entry back. A request ends after
BUDGET and says how many instances it has read; the next one continues from there.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from lambdas.domain.reputation.ledger import LedgerEntry
from lambdas.portal.finding import foremost, is_of
from lambdas.portal.ports import Ledger

BUDGET = 8.0  # s of a request, after which no further round begins
SIDE_BY_SIDE = 8  # instances that are read at a time
ENTRIES = 1_000  # of an instance that one round reads: some 70 ms of CPU and 32 read units
MAX_FOUND = 200  # in one answer


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientPlace:
    """Where a search continues: behind instance `after`, and in each `unfinished` instance behind the ledger key."""

    after: str = ""
    unfinished: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientSearch:
    """The answer to one request: instance ids with entries, newest first, after `read` of `total` instances."""

    found: tuple[tuple[str, LedgerEntry], ...]
    place: RecipientPlace
    read: int
    total: int
    cut: bool  # more matched than are shown

    @property
    def done(self) -> bool:
        """Whether every instance was read to its end."""
        return self.read == self.total


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientFinder:
    """Searches the ledgers of instances. *clock* measures the budget, s."""

    ledger: Ledger
    clock: Callable[[], float]

    def search(self, instances: Sequence[str], needle: str, *, place: RecipientPlace) -> RecipientSearch:
        """Entries of *instances* (ids) about *needle*, a part of an address or message id, from *place* on.

        Each request reads one round at least, so that a search always ends.
        """
        wanted, deadline = needle.lower(), self.clock() + BUDGET
        left = [(one, place.unfinished.get(one, "")) for one in sorted(instances) if _is_left(one, place)]
        after, found = place.after, list[tuple[str, LedgerEntry]]()
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            while left and len(found) < MAX_FOUND:
                begun, left = left[:SIDE_BY_SIDE], left[SIDE_BY_SIDE:]
                rounds = list(pool.map(lambda one: self._read(one[0], one[1], wanted), begun))
                found += [match for matches, _ in rounds for match in matches]
                after = max(after, *(one for one, _ in begun))
                left = [(one, key) for (one, _), (_, key) in zip(begun, rounds, strict=True) if key] + left
                if self.clock() >= deadline:
                    break
        found.sort(key=lambda match: match[1].timestamp, reverse=True)
        return RecipientSearch(
            found=tuple(found[:MAX_FOUND]),
            place=RecipientPlace(after=after, unfinished={one: key for one, key in left if key}),
            read=len(instances) - len(left),
            total=len(instances),
            cut=len(found) > MAX_FOUND,
        )

    def _read(self, instance_id: str, key: str, wanted: str) -> tuple[list[tuple[str, LedgerEntry]], str]:
        """The matches among the next entries, and the key that the following ones come after; empty at the end."""
        entries, following = self.ledger.page(instance_id, after=key, limit=ENTRIES)
        matches = (entry for entry in entries if is_of(entry, wanted))
        shown = [replace(entry, recipients=foremost(entry.recipients, wanted)) for entry in matches]
        return [(instance_id, entry) for entry in shown], following


def _is_left(instance_id: str, place: RecipientPlace) -> bool:
    return instance_id > place.after or instance_id in place.unfinished
