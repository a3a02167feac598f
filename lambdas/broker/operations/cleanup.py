"""The sweep: binds and unbinds that died half-way are removed, operations that stalled get another turn."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from lambdas.broker.bindings.unbinding import STALE
from lambdas.broker.operations.requests import STALLED


class Store(Protocol):
    """The lists of what has not ended; see lambdas.aws.dynamodb.broker.broker_table."""

    def stale_intents(self, *, before: datetime) -> tuple[tuple[str, str], ...]: ...
    def unfinished(self, *, before: datetime) -> tuple[str, ...]: ...


class Instances(Protocol):
    """What wakes operations."""

    def resume(self, instance_id: str) -> None: ...


class Bindings(Protocol):
    """What removes stale intents."""

    def remove_stale(self, instance_id: str, binding_id: str, *, now: datetime) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleanup:
    """Runs every few minutes. One that cannot be removed now keeps no other waiting."""

    store: Store
    instances: Instances
    bindings: Bindings
    log_answer: Callable[[str, str, Exception | None], None]

    def run(self, *, now: datetime) -> None:
        """Look once."""
        for instance_id, binding_id in self.store.stale_intents(before=now - STALE):
            try:
                if self.bindings.remove_stale(instance_id, binding_id, now=now):
                    self.log_answer("stale binding removed", binding_id, None)
            except Exception as error:  # noqa: BLE001  # told; the next run tries again
                self.log_answer("stale binding not removed", binding_id, error)
        for instance_id in self.store.unfinished(before=now - STALLED):
            self.instances.resume(instance_id)
            self.log_answer("stalled operation woken", instance_id, None)
