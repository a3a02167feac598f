"""A table and a queue in memory, which can be made to break at any step."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lambdas.domain.reputation.ledger import LedgerEntry, LedgerKind
from lambdas.domain.webhooks.audience import Audience
from lambdas.domain.webhooks.delivery import Delivery, DeliveryBatch


class Killed(BaseException):
    """The process is no more: nothing catches this."""


@dataclass
class Fate:
    """Says before and after each write whether the process dies there: at step *at*, counted from 0."""

    at: int | None = None
    error: Callable[[], BaseException] = Killed
    step: int = 0

    def strike(self) -> None:
        """Die, if this is the step."""
        self.step += 1
        if self.step - 1 == self.at:
            raise self.error()


@dataclass
class FakeLedger:
    """Transactions of a whole call; what is there already is not counted again."""

    fate: Fate = field(default_factory=Fate)
    entries: dict[tuple[str, str], LedgerEntry] = field(default_factory=dict)
    bounces: dict[tuple[str, str], int] = field(default_factory=dict)
    complaints: dict[tuple[str, str], int] = field(default_factory=dict)
    deliveries: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, instance_id: str, entries: Sequence[LedgerEntry]) -> frozenset[str]:
        """As the table does."""
        self.fate.strike()
        new = {entry.key: entry for entry in entries if (instance_id, entry.key) not in self.entries}
        for key, entry in new.items():
            self.entries[instance_id, key] = entry
            counters = self.bounces if entry.kind is LedgerKind.BOUNCE else self.complaints
            counters[instance_id, entry.bucket] = counters.get((instance_id, entry.bucket), 0) + entry.counted
        self.fate.strike()
        return frozenset(new)

    def add_all_deliveries(self, sums: Mapping[str, Mapping[str, int]]) -> dict[str, Exception]:
        """As the table does."""
        failed: dict[str, Exception] = {}
        for instance_id, by_bucket in sums.items():
            try:
                self.add_deliveries(instance_id, by_bucket)
            except Exception as error:  # noqa: BLE001  # any fault that a test chose
                failed[instance_id] = error
        return failed

    def add_deliveries(self, instance_id: str, sums: Mapping[str, int]) -> None:
        """As the table does, for one instance."""
        self.fate.strike()
        for bucket, count in sums.items():
            self.deliveries[instance_id, bucket] = self.deliveries.get((instance_id, bucket), 0) + count
        self.fate.strike()


@dataclass
class FakeDeliveryQueue:
    """Keeps what is sent; *fate* may strike between two messages."""

    fate: Fate = field(default_factory=Fate)
    batches: list[DeliveryBatch] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)

    def send_later(self, delayed: Iterable[tuple[DeliveryBatch, float]]) -> None:
        """As the queue does."""
        sent = []
        for batch, delay in delayed:
            sent.append(batch)
            self.delays.append(delay)
        self.calls.append(len(sent))
        for batch in sent:
            self.fate.strike()
            if batch.webhook_id in self.refused:
                raise TimeoutError("the queue does not answer")
            self.batches.append(batch)
        self.fate.strike()

    @property
    def deliveries(self) -> list[Delivery]:
        """All deliveries, in the order they were sent."""
        return [delivery for batch in self.batches for delivery in batch.deliveries]


@dataclass
class FakeAudiences:
    """Audiences by instance."""

    known: dict[str, Audience]
    broken: set[str] = field(default_factory=set)

    def of(self, instance_ids: Sequence[str]) -> Callable[[str], Audience | None]:
        """As the table answers; it may not answer for one, or (`*`) at all."""
        if "*" in self.broken:
            raise TimeoutError("the table does not answer")
        return self._audience

    def _audience(self, instance_id: str) -> Audience | None:
        if instance_id in self.broken:
            raise TimeoutError("the table does not answer")
        return self.known.get(instance_id)
