"""Deprovisioning (DELETE of a service instance). It halts a provision in progress; the worker removes what exists."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from lambdas.broker.operations.engine import past_operations
from lambdas.broker.operations.requests import Operations, accepted, check_async, retry_on_conflict
from lambdas.broker.osb.catalog import plans
from lambdas.broker.osb.errors import BadRequest, ConcurrencyError, Gone, InUse
from lambdas.broker.osb.requests import Offer, Response, checked_id, flag, offer, required_query
from lambdas.broker.ports import InstanceStore
from lambdas.broker.settings import BrokerSettings
from lambdas.domain.tenants.instance import Instance, InstanceState, OperationKind, OperationState


@dataclass(frozen=True, slots=True, kw_only=True)
class Deprovisioning:
    """Answers deprovisions."""

    store: InstanceStore
    operations: Operations
    settings: BrokerSettings

    def deprovision(self, instance_id: str, query: Mapping[str, str], *, now: datetime) -> Response:
        """DELETE /v2/service_instances/:instance_id"""
        checked_id(instance_id, "the instance id")
        chosen = offer(required_query(query, "service_id"), required_query(query, "plan_id"), plans(self.settings))
        check_async(flag(query, "accepts_incomplete"))

        def decided() -> Response:
            known = self.store.instance(instance_id)
            if known is None or known.state is InstanceState.GONE:
                raise Gone("there is no such service instance")
            return self._decide(known, chosen, now=now)

        return retry_on_conflict(decided)

    def _decide(self, known: Instance, chosen: Offer, *, now: datetime) -> Response:
        if (known.service_id, known.plan_id) != (chosen.service_id, chosen.plan_id):
            raise BadRequest("service_id or plan_id is not the instance's")
        if known.busy and known.operation.kind is OperationKind.DEPROVISION:
            self.operations.enqueue(known)
            return accepted(known)
        if known.busy and known.operation.kind is OperationKind.UPDATE:
            raise ConcurrencyError("the instance is being updated")
        if known.bindings:
            raise InUse(f"the instance has {len(known.bindings)} binding(s); unbind first")
        if known.referrers:
            raise InUse(f"{len(known.referrers)} binding(s) of other instances go through this one; unbind them first")
        ended = known.operation
        if known.busy:  # a provision: it is halted, and its resources are removed
            ended = replace(ended, state=OperationState.FAILED, description="Halted: the instance is being deleted")
        operation = self.operations.begin(OperationKind.DEPROVISION, now=now)
        started = self.store.save_instance(replace(known, operation=operation, past=past_operations(known, ended)))
        self.operations.enqueue(started)
        return accepted(started)
