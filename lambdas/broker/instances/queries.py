"""Fetches and polls of service instances. They change nothing, but resume a stalled operation."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lambdas.broker.operations.requests import STALLED, Operations, dashboard
from lambdas.broker.osb.errors import BadRequest, ConcurrencyError, Gone, NotFound
from lambdas.broker.osb.rendering import instance_parameters
from lambdas.broker.osb.requests import Response
from lambdas.broker.ports import InstanceStore
from lambdas.domain.tenants.aws_names import is_id
from lambdas.domain.tenants.instance import Instance, InstanceState, OperationKind, OperationState

RETRY_AFTER = "10"  # s between two polls


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceQueries:
    """Answers fetches and polls."""

    store: InstanceStore
    operations: Operations
    portal_url: str = ""

    def fetch(self, instance_id: str) -> Response:
        """GET /v2/service_instances/:instance_id"""
        known = self.store.instance(instance_id) if is_id(instance_id) else None
        if known is None or known.state is not InstanceState.READY:
            raise NotFound("there is no such service instance, or it is not ready yet")
        if known.busy and known.operation.kind is OperationKind.UPDATE:
            raise ConcurrencyError("the instance is being updated")
        body = {
            "service_id": known.service_id,
            "plan_id": known.plan_id,
            "parameters": instance_parameters(known),
            **dashboard(self.portal_url, known),
        }
        return Response(status=200, body=body)

    def last_operation(self, instance_id: str, query: Mapping[str, str], *, now: datetime) -> Response:
        """GET /v2/service_instances/:instance_id/last_operation"""
        known = self.store.instance(instance_id) if is_id(instance_id) else None
        if known is None:
            raise NotFound("there is no such service instance")
        asked = query.get("operation", "")
        earlier = next((entry for entry in known.past if entry.id == asked), None)
        if asked and asked != known.operation.id and earlier is None:
            raise BadRequest("operation is none of this instance's")
        if known.state is InstanceState.GONE:
            raise Gone("the service instance was deleted")
        if earlier is not None and asked != known.operation.id:
            return Response(status=200, body={"state": earlier.state.value, "description": earlier.description})
        if known.busy and now - known.operation.touched_at > STALLED:
            self.operations.enqueue(known)
        return _state(known)

    def resume(self, instance_id: str) -> None:
        """Request a step run for a stalled operation."""
        known = self.store.instance(instance_id)
        if known is not None and known.busy:
            self.operations.enqueue(known)


def _state(instance: Instance) -> Response:
    operation = instance.operation
    body: dict[str, Any] = {"state": operation.state.value, "description": operation.description}
    if operation.state is OperationState.FAILED and operation.kind is not OperationKind.PROVISION:
        body |= {"instance_usable": operation.kind is OperationKind.UPDATE, "update_repeatable": True}
    return Response(status=200, body=body, headers={"Retry-After": RETRY_AFTER} if instance.busy else {})
