"""Provisioning (PUT of a service instance). The request is validated and recorded; the worker creates the resources."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from lambdas.broker.instances.domain_claims import DomainClaims, is_public_suffix
from lambdas.broker.instances.domain_takeover import DomainTakeover
from lambdas.broker.instances.ses_steps import RELATED, in_operators_zone
from lambdas.broker.operations.requests import (
    Operations,
    accepted,
    check_async,
    check_maintenance,
    dashboard,
    in_the_way,
    retry_on_conflict,
)
from lambdas.broker.osb import parameters
from lambdas.broker.osb.catalog import PRIVATELINK_SERVICE, id_in_cell, plans, privatelink_service_name
from lambdas.broker.osb.errors import BadParameter, ConcurrencyError, Conflict, DomainConflict, QuotaExceeded
from lambdas.broker.osb.requests import Body, Response, check_nested, checked_id, flag
from lambdas.broker.ports import Identities, InstanceStore
from lambdas.broker.settings import BrokerSettings
from lambdas.domain.errors import DomainTaken, OrganizationFull, Throttled
from lambdas.domain.tenants.domain_names import generated
from lambdas.domain.tenants.instance import Instance, InstanceState, OperationKind, SesParameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Provisioning:
    """Answers provisions."""

    store: InstanceStore
    operations: Operations
    identities: Identities
    claims: DomainClaims
    takeover: DomainTakeover
    settings: BrokerSettings

    def provision(self, instance_id: str, raw: bytes, query: Mapping[str, str], *, now: datetime) -> Response:
        """PUT /v2/service_instances/:instance_id"""
        checked_id(instance_id, "the instance id")
        body = Body.parse(raw)
        wanted = self._wanted(instance_id, body, flag(query, "accepts_incomplete"), now=now)

        def decided() -> Response:
            known = self.store.instance(instance_id)
            if known is None or not in_the_way(known):
                return self._create(replace(wanted, version=known.version if known else 0))
            return self._again(known, wanted)

        return retry_on_conflict(decided)

    def _wanted(self, instance_id: str, body: Body, accepts_incomplete: bool, *, now: datetime) -> Instance:
        chosen = body.offer(plans(self.settings))
        organization, space = body.text("organization_guid"), body.text("space_guid")
        check_nested(body)
        given = body.object("parameters")
        check_async(accepts_incomplete)
        check_maintenance(body)
        instance = Instance(
            id=instance_id,
            service_id=chosen.service_id,
            plan_id=chosen.plan_id,
            organization_guid=organization,
            space_guid=space,
            state=InstanceState.NEW,
            operation=self.operations.begin(OperationKind.PROVISION, now=now),
            tags=body.tags(),
        )
        if chosen.service_id == id_in_cell(PRIVATELINK_SERVICE, self.settings):
            service_name = privatelink_service_name(self.settings.region)
            return replace(instance, privatelink=parameters.provision_privatelink(given, offered=service_name))
        return self._with_domain(instance, parameters.provision_ses(given))

    def _with_domain(self, instance: Instance, ses: SesParameters) -> Instance:
        zone = self.settings.operator_zone
        if ses.domain and is_public_suffix(ses.domain, allowed=self.settings.allowed_public_suffixes.split(",")):
            raise BadParameter(
                "domain", f"{ses.domain} is a public suffix, below which others register names; give one of your own"
            )
        if not ses.domain and not zone:
            raise BadParameter("domain", "is required: this platform generates no domains")
        domain = ses.domain or generated(instance.id, zone)
        parameters.check_mail_from(ses, domain)
        return replace(instance, ses=ses, requested_ses=ses, domain=domain, generated=not ses.domain, claimed=True)

    def _again(self, known: Instance, wanted: Instance) -> Response:
        if known.busy and known.operation.kind is OperationKind.DEPROVISION:
            raise ConcurrencyError("the instance is being deleted")
        if not _same(known, wanted):
            raise Conflict("a service instance with this id exists with other attributes")
        if known.busy and known.operation.kind is OperationKind.PROVISION:
            self.operations.enqueue(known)
            return accepted(known, **self._dashboard(known))
        if known.dirty:
            raise Conflict("an earlier attempt left something behind; delete the instance, then create it again")
        return Response(status=200, body=self._dashboard(known))

    def _create(self, wanted: Instance) -> Response:
        if wanted.domain:
            self._check_domain(wanted)
        try:
            room = self.settings.instances_per_organization
            made = self.store.save_instance(wanted, claim=wanted.domain, room=room)
        except OrganizationFull:
            raise QuotaExceeded(
                f"the organization has {room} service instances, as many as it may have; delete one that is no longer "
                "used, or ask the operator"
            ) from None
        except DomainTaken:
            raise DomainConflict(RELATED.format(domain=wanted.domain)) from None
        self.operations.enqueue(made)
        return accepted(made, **self._dashboard(made))

    def _dashboard(self, instance: Instance) -> dict[str, str]:
        return dashboard(self.settings.portal_url, instance)

    def _check_domain(self, wanted: Instance) -> None:
        domain = wanted.domain
        if not wanted.generated and in_operators_zone(domain, self.settings.operator_zone):
            raise DomainConflict(f"{domain} belongs to the operator of this platform; leave domain empty to get one")
        now = wanted.operation.started_at
        held = self.claims.held(wanted, now=now)
        if held is not None:
            raise DomainConflict(self.takeover.refusal(wanted, held, now=now))
        try:
            if self.claims.related(wanted, now=now).blocked:
                raise DomainConflict(RELATED.format(domain=domain))
            found = self.identities.identity(domain)
        except Throttled:
            return  # the worker checks again, and fails the operation with the same reason
        if found is not None and found.owner != wanted.id:
            raise DomainConflict(f"{domain} is already set up in this account's SES, not by this service")


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
