"""Cleanup: removes what interrupted binds and unbinds left, and resumes operations that stalled."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from lambdas.broker.bindings.unbinding import STALE, Unbinding
from lambdas.broker.instances.queries import InstanceQueries
from lambdas.broker.operations.requests import STALLED
from lambdas.broker.ports import UnfinishedWork

# what was cleaned up, the id of the binding or instance, and the error if it failed
LogCleanup = Callable[[str, str, Exception | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleanup:
    """Runs every few minutes. A binding that cannot be removed does not delay the others."""

    store: UnfinishedWork
    instances: InstanceQueries
    bindings: Unbinding
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
