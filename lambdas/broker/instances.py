"""Service instances: what each OSB request means for them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from lambdas.aws.broker_table import Claim, DomainTaken, VersionConflict
from lambdas.aws.faults import Throttled
from lambdas.aws.operations_queue import OperationMessage
from lambdas.aws.ses import Identity
from lambdas.broker import parameters
from lambdas.broker.catalog import PRIVATELINK_SERVICE, plans, privatelink_service_name
from lambdas.broker.errors import (
    AsyncRequired,
    BadParameter,
    BadRequest,
    ChangeUnsupported,
    ConcurrencyError,
    Conflict,
    DomainConflict,
    Gone,
    InUse,
    MaintenanceInfoConflict,
    NotFound,
)
from lambdas.broker.fields import Fields
from lambdas.broker.operations import past
from lambdas.broker.rendering import instance_parameters
from lambdas.broker.requests import Answer, Body, Offer, check_nested, checked_id, flag, is_id, offer, required_query
from lambdas.broker.ses_steps import in_operators_zone, may_neighbour
from lambdas.broker.settings import BrokerSettings
from lambdas.domain.domain_names import generated, is_domain
from lambdas.domain.instance import (
    Instance,
    InstanceState,
    Operation,
    OperationKind,
    OperationState,
    SesParameters,
    WebhookChange,
)

STALLED = timedelta(minutes=5)  # longer than any wait between two turns: the message was lost, or the sender died
RETRY_AFTER = "10"  # s between two polls
TRIES = 5  # of reading and writing anew when others write the same record


class Store(Protocol):
    """The broker's memory; the promises are those of lambdas.aws.broker_table."""

    def instance(self, instance_id: str) -> Instance | None: ...
    def save_instance(self, instance: Instance, *, claim: str = "", release: str = "") -> Instance: ...
    def claims_related(self, domain: str) -> tuple[Claim, ...]: ...


class Turns(Protocol):
    """Where the worker's turns are asked for."""

    def send(self, message: OperationMessage, *, delay: float = 0) -> None: ...


class Identities(Protocol):
    """SES's identities."""

    def identity(self, domain: str) -> Identity | None: ...


class WebhookChanges(Protocol):
    """What an update's `bindings` come to; see bindings."""

    def changes(self, instance: Instance, given: Mapping[str, Fields]) -> tuple[WebhookChange, ...]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Instances:
    """Answers what is asked of service instances."""

    store: Store
    turns: Turns
    identities: Identities
    webhooks: WebhookChanges
    settings: BrokerSettings
    new_id: Callable[[], str]

    # -- provision -----------------------------------------------------------------------------------------------

    def provision(self, instance_id: str, raw: bytes, query: Mapping[str, str], *, now: datetime) -> Answer:
        """PUT /v2/service_instances/:instance_id"""
        checked_id(instance_id, "the instance id")
        body = Body.parse(raw)
        wanted = self._wanted(instance_id, body, flag(query, "accepts_incomplete"), now=now)
        for _ in range(TRIES):
            known = self.store.instance(instance_id)
            try:
                if known is None or not _in_the_way(known):
                    return self._create(replace(wanted, version=known.version if known else 0))
                return self._again(known, wanted)
            except VersionConflict:
                continue
        raise ConcurrencyError("other requests for this instance are under way; try again")

    def _wanted(self, instance_id: str, body: Body, accepts_incomplete: bool, *, now: datetime) -> Instance:
        chosen = body.offer(plans(self.settings))
        organization, space = body.text("organization_guid"), body.text("space_guid")
        check_nested(body)
        given = body.object("parameters")
        _check_async(accepts_incomplete)
        _check_maintenance(body)
        instance = Instance(
            id=instance_id,
            service_id=chosen.service_id,
            plan_id=chosen.plan_id,
            organization_guid=organization,
            space_guid=space,
            state=InstanceState.NEW,
            operation=self._operation(OperationKind.PROVISION, now=now),
            tags=body.tags(),
        )
        if chosen.service_id == PRIVATELINK_SERVICE:
            service_name = privatelink_service_name(self.settings.region)
            return replace(instance, privatelink=parameters.provision_privatelink(given, offered=service_name))
        return self._with_domain(instance, parameters.provision_ses(given))

    def _with_domain(self, instance: Instance, ses: SesParameters) -> Instance:
        zone = self.settings.operator_zone
        if not ses.domain and not zone:
            raise BadParameter("domain", "is required: this platform generates no domains")
        domain = ses.domain or generated(instance.id, zone)
        _check_mail_from(ses, domain)
        return replace(instance, ses=ses, requested_ses=ses, domain=domain, generated=not ses.domain, claimed=True)

    def _again(self, known: Instance, wanted: Instance) -> Answer:
        if known.busy and known.operation.kind is OperationKind.DEPROVISION:
            raise ConcurrencyError("the instance is being deleted")
        if not _same(known, wanted):
            raise Conflict("a service instance with this id exists with other attributes")
        if known.busy and known.operation.kind is OperationKind.PROVISION:
            self._nudge(known)
            return _accepted(known)
        if known.dirty:
            raise Conflict("an earlier attempt left something behind; delete the instance, then create it again")
        return Answer(status=200, body={})

    def _create(self, wanted: Instance) -> Answer:
        if wanted.domain:
            self._check_domain(wanted)
        try:
            made = self.store.save_instance(wanted, claim=wanted.domain)
        except DomainTaken:
            raise DomainConflict(f"{wanted.domain}, or a domain above it, is held by another tenant") from None
        self._nudge(made)
        return _accepted(made)

    def _check_domain(self, wanted: Instance) -> None:
        domain = wanted.domain
        if not wanted.generated and in_operators_zone(domain, self.settings.operator_zone):
            raise DomainConflict(f"{domain} belongs to the operator of this platform; leave domain empty to get one")
        for claim in self.store.claims_related(domain):
            if claim.instance_id == wanted.id:
                continue
            if claim.domain == domain:
                raise DomainConflict(f"{domain} is in use by another service instance")
            if not may_neighbour(claim, wanted):
                raise DomainConflict(f"{domain} cannot be used: {_relation(claim.domain, domain)} another organization")
        try:
            found = self.identities.identity(domain)
        except Throttled:
            return  # the worker finds out: it fails the operation with the same reason
        if found is not None and found.owner != wanted.id:
            raise DomainConflict(f"{domain} is already set up in this account's SES, not by this service")

    # -- update --------------------------------------------------------------------------------------------------

    def update(self, instance_id: str, raw: bytes, query: Mapping[str, str], *, now: datetime) -> Answer:
        """PATCH /v2/service_instances/:instance_id"""
        checked_id(instance_id, "the instance id")
        body = Body.parse(raw)
        service_id, plan_id = body.text("service_id"), body.optional_text("plan_id")
        if service_id not in plans(self.settings):
            raise BadRequest("service_id is not in the catalog")
        check_nested(body)
        given = body.object("parameters")
        _check_async(flag(query, "accepts_incomplete"))
        _check_maintenance(body)
        for _ in range(TRIES):
            try:
                return self._update(self._existing(instance_id), service_id, plan_id, given, body, now=now)
            except VersionConflict:
                continue
        raise ConcurrencyError("other requests for this instance are under way; try again")

    def _existing(self, instance_id: str) -> Instance:
        known = self.store.instance(instance_id)
        if known is None or not _in_the_way(known) or (known.state is InstanceState.NEW and not known.busy):
            raise BadRequest("there is no such service instance")
        return known

    def _update(
        self,
        known: Instance,
        service_id: str,
        plan_id: str,
        given: Mapping[str, Any],
        body: Body,
        *,
        now: datetime,
    ) -> Answer:
        if service_id != known.service_id:
            raise BadRequest("service_id is not the instance's")
        if plan_id and plan_id != known.plan_id:
            raise ChangeUnsupported("plan_id: the service has one plan, which cannot be changed")
        operation = self._update_operation(known, given, now=now)
        if known.busy:
            if _same_update(known.operation, operation):
                self._nudge(known)
                return _accepted(known)
            raise ConcurrencyError(f"the instance is busy: {known.operation.kind} is under way")
        if known.dirty:
            raise ChangeUnsupported("an earlier deletion failed half way; delete the instance again")
        tagged = replace(known, tags={**known.tags, **body.tags()})
        if operation is None:
            if tagged.tags != known.tags:
                self.store.save_instance(tagged)
            return Answer(status=200, body={})
        started = replace(tagged, operation=operation, past=past(known, known.operation))
        started = self.store.save_instance(started)
        self._nudge(started)
        return _accepted(started)

    def _update_operation(self, known: Instance, given: Mapping[str, Any], *, now: datetime) -> Operation | None:
        """The operation that brings *given* about; None when there is nothing to do."""
        if known.ses is None:
            if given:
                raise ChangeUnsupported("parameters: a privatelink instance cannot be changed")
            return None
        wanted = parameters.update_ses(given, current=known.ses, domain=known.domain)
        _check_mail_from(wanted.ses, known.domain)
        changes = self.webhooks.changes(known, wanted.bindings)
        if wanted.ses == known.ses and not changes:
            return None
        return replace(
            self._operation(OperationKind.UPDATE, now=now),
            ses=wanted.ses,
            webhooks=changes,
            changes_mail_from=wanted.ses.mail_from_subdomain != known.ses.mail_from_subdomain,
        )

    # -- deprovision ---------------------------------------------------------------------------------------------

    def deprovision(self, instance_id: str, query: Mapping[str, str], *, now: datetime) -> Answer:
        """DELETE /v2/service_instances/:instance_id"""
        checked_id(instance_id, "the instance id")
        chosen = offer(required_query(query, "service_id"), required_query(query, "plan_id"), plans(self.settings))
        _check_async(flag(query, "accepts_incomplete"))
        for _ in range(TRIES):
            known = self.store.instance(instance_id)
            if known is None or known.state is InstanceState.GONE:
                raise Gone("there is no such service instance")
            try:
                return self._deprovision(known, chosen, now=now)
            except VersionConflict:
                continue
        raise ConcurrencyError("other requests for this instance are under way; try again")

    def _deprovision(self, known: Instance, chosen: Offer, *, now: datetime) -> Answer:
        if (known.service_id, known.plan_id) != (chosen.service_id, chosen.plan_id):
            raise BadRequest("service_id or plan_id is not the instance's")
        if known.busy and known.operation.kind is OperationKind.DEPROVISION:
            self._nudge(known)
            return _accepted(known)
        if known.busy and known.operation.kind is OperationKind.UPDATE:
            raise ConcurrencyError("the instance is being updated")
        if known.bindings:
            raise InUse(f"the instance has {len(known.bindings)} binding(s); unbind first")
        if known.referrers:
            raise InUse(f"{len(known.referrers)} binding(s) of other instances go through this one; unbind them first")
        ended = known.operation
        if known.busy:  # a provision: halted, and what it made is removed
            ended = replace(ended, state=OperationState.FAILED, description="Halted: the instance is being deleted")
        operation = self._operation(OperationKind.DEPROVISION, now=now)
        started = self.store.save_instance(replace(known, operation=operation, past=past(known, ended)))
        self._nudge(started)
        return _accepted(started)

    # -- reading -------------------------------------------------------------------------------------------------

    def fetch(self, instance_id: str) -> Answer:
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
        }
        return Answer(status=200, body=body)

    def last_operation(self, instance_id: str, query: Mapping[str, str], *, now: datetime) -> Answer:
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
            return Answer(status=200, body={"state": earlier.state.value, "description": earlier.description})
        if known.busy and now - known.operation.touched_at > STALLED:
            self._nudge(known)
        return _state(known)

    def resume(self, instance_id: str) -> None:
        """Give an operation that has stalled another turn."""
        known = self.store.instance(instance_id)
        if known is not None and known.busy:
            self._nudge(known)

    # -- parts ---------------------------------------------------------------------------------------------------

    def _operation(self, kind: OperationKind, *, now: datetime) -> Operation:
        return Operation(id=f"{kind}-{self.new_id()}", kind=kind, started_at=now, touched_at=now, description="Queued")

    def _nudge(self, instance: Instance) -> None:
        """Ask for a turn. Too many do no harm: the lease lets one work, and ended operations are let be."""
        self.turns.send(OperationMessage(instance_id=instance.id, operation_id=instance.operation.id))


def _in_the_way(known: Instance) -> bool:
    """Whether a new instance cannot take this id: it is there, or half there."""
    if known.state is InstanceState.GONE:
        return False
    failed = known.state is InstanceState.NEW and known.operation.state is OperationState.FAILED
    return not failed or known.dirty


def _same(known: Instance, wanted: Instance) -> bool:
    def attributes(instance: Instance) -> tuple[object, ...]:
        return (
            instance.service_id,
            instance.plan_id,
            instance.organization_guid,
            instance.space_guid,
            instance.requested_ses,
            instance.privatelink,
        )

    return attributes(known) == attributes(wanted)


def _same_update(known: Operation, wanted: Operation | None) -> bool:
    if wanted is None or known.kind is not OperationKind.UPDATE or known.ses != wanted.ses:
        return False

    def public(operation: Operation) -> list[tuple[object, ...]]:
        return [
            (change.binding_id, change.mark, change.after.url, change.after.events, change.after.format)
            for change in operation.webhooks
        ]

    return public(known) == public(wanted)


def _relation(other: str, domain: str) -> str:
    return f"{other}, {'above' if domain.endswith('.' + other) else 'below'} it, is held by"


def _check_mail_from(ses: SesParameters, domain: str) -> None:
    if ses.mail_from_subdomain and not is_domain(f"{ses.mail_from_subdomain}.{domain}"):
        raise BadParameter("mail_from_subdomain", "is too long for the domain")


def _check_async(accepts_incomplete: bool) -> None:
    if not accepts_incomplete:
        raise AsyncRequired("this service works asynchronously: accepts_incomplete=true is needed")


def _check_maintenance(body: Body) -> None:
    if body.maintenance_version() is not None:
        raise MaintenanceInfoConflict("the catalog names no maintenance_info for this plan")


def _accepted(instance: Instance) -> Answer:
    return Answer(status=202, body={"operation": instance.operation.id})


def _state(instance: Instance) -> Answer:
    operation = instance.operation
    body: dict[str, Any] = {"state": operation.state.value, "description": operation.description}
    if operation.state is OperationState.FAILED and operation.kind is not OperationKind.PROVISION:
        body |= {"instance_usable": operation.kind is OperationKind.UPDATE, "update_repeatable": True}
    return Answer(status=200, body=body, headers={"Retry-After": RETRY_AFTER} if instance.busy else {})
