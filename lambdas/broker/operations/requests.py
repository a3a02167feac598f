"""Shared by all requests that begin an operation: checks, recording the operation, and the 202 answer."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from lambdas.broker.osb.errors import AsyncRequired, ConcurrencyError, MaintenanceInfoConflict
from lambdas.broker.osb.requests import Body, Response
from lambdas.broker.ports import TaskQueue
from lambdas.domain.errors import VersionConflict
from lambdas.domain.portal import page_of
from lambdas.domain.tenants.instance import Instance, InstanceState, Operation, OperationKind, OperationState
from lambdas.domain.tenants.operation_task import OperationTask

STALLED = timedelta(minutes=5)  # longer than any wait between step runs: the message was lost
TRIES = 5  # tries to read and write again if others write the same record
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """Begins operations and requests step runs for them."""

    tasks: TaskQueue
    new_id: Callable[[], str]

    def begin(self, kind: OperationKind, *, now: datetime) -> Operation:
        """A new operation, not yet recorded."""
        return Operation(id=f"{kind}-{self.new_id()}", kind=kind, started_at=now, touched_at=now, description="Queued")

    def enqueue(self, instance: Instance) -> None:
        """Request a step run. Extra requests are harmless: one worker gets the lease; ended operations are skipped."""
        self.tasks.send(OperationTask(instance_id=instance.id, operation_id=instance.operation.id))


def retry_on_conflict(action: Callable[[], T]) -> T:
    """The result of *action*, which is run again if another request writes the record in between."""
    for _ in range(TRIES):
        try:
            return action()
        except VersionConflict:
            continue
    raise ConcurrencyError("other requests for this instance are under way; try again")


def accepted(instance: Instance, **more: str) -> Response:
    """The 202 answer for an operation in progress. *more* is added to the body."""
    return Response(status=202, body={"operation": instance.operation.id, **more})


def dashboard(portal_url: str, instance: Instance) -> dict[str, str]:
    """OSB's `dashboard_url`, the instance's page in the portal; empty if there is no portal."""
    page = page_of(portal_url, instance.id) if instance.ses else ""
    return {"dashboard_url": page} if page else {}


def in_the_way(known: Instance) -> bool:
    """Whether an instance with this id exists, completely or partly."""
    if known.state is InstanceState.GONE:
        return False
    failed = known.state is InstanceState.NEW and known.operation.state is OperationState.FAILED
    return not failed or known.dirty


def check_async(accepts_incomplete: bool) -> None:
    """Raise AsyncRequired unless the platform accepts asynchronous operations."""
    if not accepts_incomplete:
        raise AsyncRequired("this service works asynchronously: accepts_incomplete=true is needed")


def check_maintenance(body: Body) -> None:
    """Raise MaintenanceInfoConflict if maintenance_info names a version: the catalog has none."""
    if body.maintenance_version() is not None:
        raise MaintenanceInfoConflict("the catalog names no maintenance_info for this plan")
