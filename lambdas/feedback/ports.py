"""What the feedback function needs from outside; `composition.py` connects the adapters."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from lambdas.domain.reputation.ledger import LedgerEntry
from lambdas.domain.webhooks.audience import Audience


class Audiences(Protocol):
    """Reads the webhooks of instances."""

    def of(self, instance_ids: Sequence[str]) -> Callable[[str], Audience | None]:
        """The audience of each instance; None if the instance does not exist."""


class Ledger(Protocol):
    """Stores what counts in the rates."""

    def add(self, instance_id: str, entries: Sequence[LedgerEntry]) -> frozenset[str]:
        """Count each entry unless it was counted before; the keys of the new ones."""

    def add_all_deliveries(self, sums: Mapping[str, Mapping[str, int]]) -> Mapping[str, Exception]:
        """Add to the deliveries of each instance's buckets; the error of each instance that failed."""
