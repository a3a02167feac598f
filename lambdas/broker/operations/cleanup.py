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
    waiting: Callable[[int, float], None]  # records how many operations have not ended, and the oldest one's age, s

    def run(self, *, now: datetime) -> None:
        """Clean up once."""
        for instance_id, binding_id in self.store.stale_intents(before=now - STALE):
            try:
                if self.bindings.remove_stale(instance_id, binding_id, now=now):
                    self.log("stale binding removed", binding_id, None)
            except Exception as error:  # noqa: BLE001  # logged; the next run tries again
                self.log("stale binding not removed", binding_id, error)
        unfinished = self.store.unfinished()
        for operation in unfinished:
            if operation.touched_at < now - STALLED:
                self.instances.resume(operation.instance_id)
                self.log("stalled operation resumed", operation.instance_id, None)
        oldest = min((operation.started_at for operation in unfinished), default=now)
        self.waiting(len(unfinished), (now - oldest).total_seconds())
