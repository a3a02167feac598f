"""What all requests that begin an operation share: checks, the beginning itself, and the answer that it has begun."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from lambdas.broker.osb.errors import AsyncRequired, ConcurrencyError, MaintenanceInfoConflict
from lambdas.broker.osb.requests import Body, Response
from lambdas.broker.ports import TaskQueue
from lambdas.domain.errors import VersionConflict
from lambdas.domain.tenants.instance import Instance, InstanceState, Operation, OperationKind, OperationState
from lambdas.domain.tenants.operation_task import OperationTask

STALLED = timedelta(minutes=5)  # longer than any wait between two turns: the message was lost, or the sender died
TRIES = 5  # of reading and writing anew when others write the same record
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """Begins operations and asks for their turns."""

    tasks: TaskQueue
    new_id: Callable[[], str]

    def begin(self, kind: OperationKind, *, now: datetime) -> Operation:
        """A new operation, not yet recorded."""
        return Operation(id=f"{kind}-{self.new_id()}", kind=kind, started_at=now, touched_at=now, description="Queued")

    def enqueue(self, instance: Instance) -> None:
        """Request a step run. Extra requests are harmless: one worker gets the lease; ended operations are skipped."""
        self.tasks.send(OperationTask(instance_id=instance.id, operation_id=instance.operation.id))


def retry_on_conflict(action: Callable[[], T]) -> T:
    """What *action* gives, which reads, decides and writes anew when another writes the record in between."""
    for _ in range(TRIES):
        try:
            return action()
        except VersionConflict:
            continue
    raise ConcurrencyError("other requests for this instance are under way; try again")


def accepted(instance: Instance, **more: str) -> Response:
    """202: the operation is under way. *more* goes into the body."""
    return Response(status=202, body={"operation": instance.operation.id, **more})


def dashboard(portal_url: str, instance: Instance) -> dict[str, str]:
    """OSB's `dashboard_url`: the instance's page in the portal; nothing where it has none."""
    if not portal_url or instance.ses is None:
        return {}
    return {"dashboard_url": f"{portal_url}/instances/{instance.id}"}


def in_the_way(known: Instance) -> bool:
    """Whether a new instance cannot take this id: it is there, or half there."""
    if known.state is InstanceState.GONE:
        return False
    failed = known.state is InstanceState.NEW and known.operation.state is OperationState.FAILED
    return not failed or known.dirty


def check_async(accepts_incomplete: bool) -> None:
    """Refuse a platform that cannot wait."""
    if not accepts_incomplete:
        raise AsyncRequired("this service works asynchronously: accepts_incomplete=true is needed")


def check_maintenance(body: Body) -> None:
    """Refuse any maintenance_info that names a version: the catalog has none."""
    if body.maintenance_version() is not None:
        raise MaintenanceInfoConflict("the catalog names no maintenance_info for this plan")
