"""Unbinding (DELETE of a service binding), and removal of what crashed binds and unbinds left."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from lambdas.broker.bindings.maker import WORKING, Maker, link_of
from lambdas.broker.operations.requests import retry_on_conflict
from lambdas.broker.osb.catalog import plans
from lambdas.broker.osb.errors import BadRequest, ConcurrencyError, Gone
from lambdas.broker.osb.requests import Response, checked_id, flag, offer, required_query
from lambdas.broker.ports import BindingStore
from lambdas.broker.settings import BrokerSettings
from lambdas.domain.errors import VersionConflict
from lambdas.domain.tenants.instance import Binding, BindingState

STALE = timedelta(minutes=10)  # age at which cleanup removes an intent: platforms give up after a minute


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbinding:
    """Answers unbinds."""

    store: BindingStore
    makers: Mapping[str, Maker]  # by service id
    settings: BrokerSettings

    def unbind(self, instance_id: str, binding_id: str, query: Mapping[str, str], *, now: datetime) -> Response:
        """DELETE /v2/service_instances/:instance_id/service_bindings/:binding_id"""
        checked_id(instance_id, "the instance id")
        checked_id(binding_id, "the binding id")
        flag(query, "accepts_incomplete")
        chosen = offer(required_query(query, "service_id"), required_query(query, "plan_id"), plans(self.settings))
        known = self.store.binding(instance_id, binding_id)
        if known is None or known.state is BindingState.GONE:
            raise Gone("there is no such service binding")
        if (known.request.service_id, known.request.plan_id) != (chosen.service_id, chosen.plan_id):
            raise BadRequest("service_id or plan_id is not the binding's")
        if known.busy_until is not None and known.busy_until > now:
            raise ConcurrencyError("the binding is being created or deleted")
        instance = self.store.instance(instance_id)
        if instance is not None and instance.busy:
            raise ConcurrencyError("the instance is busy")
        try:
            self.leave(known, now=now)
        except VersionConflict:
            raise ConcurrencyError("another request for this binding is under way") from None
        return Response(status=200, body={})

    def remove_stale(self, instance_id: str, binding_id: str, *, now: datetime) -> bool:
        """Remove what a bind or unbind left that crashed long ago. False if there is nothing to remove."""
        known = self.store.binding(instance_id, binding_id)
        if known is None or known.state not in (BindingState.INTENT, BindingState.LEAVING):
            return False
        if known.busy_until is not None and known.busy_until > now - STALE:
            return False
        self.leave(known, now=now)
        return True

    def leave(self, known: Binding, *, now: datetime) -> None:
        """Remove the binding's resources, then its record. Raises VersionConflict."""
        leaving = self.store.save_binding(replace(known, state=BindingState.LEAVING, busy_until=now + WORKING))
        try:
            self.makers[known.request.service_id].remove(leaving, now=now)
        except Exception:
            self.store.save_binding(replace(leaving, busy_until=now))  # the platform may try again at once
            raise
        retry_on_conflict(lambda: self._forget(leaving, now=now))

    def _forget(self, leaving: Binding, *, now: datetime) -> None:
        instances = []
        instance = self.store.instance(leaving.instance_id)
        if instance is not None and leaving.id in instance.bindings:
            instances.append(replace(instance, bindings=without(instance.bindings, leaving.id)))
        link = link_of(leaving, self.store)
        if link is not None and leaving.id in link.referrers:
            instances.append(replace(link, referrers=without(link.referrers, leaving.id)))
        gone = replace(leaving, state=BindingState.GONE, ciphertext=b"", busy_until=now)
        self.store.save_binding(gone, instances=tuple(instances))


def without(ids: tuple[str, ...], removed: str) -> tuple[str, ...]:
    """The ids without the removed one."""
    return tuple(other for other in ids if other != removed)
