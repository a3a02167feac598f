"""Cleanup: removes what interrupted binds and unbinds left, and resumes operations that stalled."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from lambdas.broker.bindings.unbinding import STALE
from lambdas.broker.operations.requests import STALLED


class Store(Protocol):
    """Lists of unfinished work; see lambdas.aws.dynamodb.broker.broker_table."""

    def stale_intents(self, *, before: datetime) -> tuple[tuple[str, str], ...]: ...
    def unfinished(self, *, before: datetime) -> tuple[str, ...]: ...


class Instances(Protocol):
    """Resumes operations."""

    def resume(self, instance_id: str) -> None: ...


class Bindings(Protocol):
    """Removes stale intents."""

    def remove_stale(self, instance_id: str, binding_id: str, *, now: datetime) -> bool: ...


class LogCleanup(Protocol):
    """Logs what was cleaned up: what happened, the binding's or instance's id, and an error."""

    def __call__(self, what: str, id_: str, error: Exception | None) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleanup:
    """Runs every few minutes. A binding that cannot be removed does not delay the others."""

    store: Store
    instances: Instances
    bindings: Bindings
    log: LogCleanup

    def run(self, *, now: datetime) -> None:
        """Clean up once."""
        for instance_id, binding_id in self.store.stale_intents(before=now - STALE):
            try:
                if self.bindings.remove_stale(instance_id, binding_id, now=now):
                    self.log("stale binding removed", binding_id, None)
            except Exception as error:  # noqa: BLE001  # logged; the next run tries again
                self.log("stale binding not removed", binding_id, error)
        for instance_id in self.store.unfinished(before=now - STALLED):
            self.instances.resume(instance_id)
            self.log("stalled operation resumed", instance_id, None)
