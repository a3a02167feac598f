"""Updating: PATCH of a service instance. What changes nothing is answered at once; the worker does the rest."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from lambdas.broker.instances.webhook_changes import WebhookChanges
from lambdas.broker.operations.engine import past_operations
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
from lambdas.broker.osb.catalog import plans
from lambdas.broker.osb.errors import BadRequest, ChangeUnsupported, ConcurrencyError
from lambdas.broker.osb.requests import Body, Response, check_nested, checked_id, flag
from lambdas.broker.ports import InstanceStore
from lambdas.broker.settings import BrokerSettings
from lambdas.domain.tenants.instance import Instance, InstanceState, Operation, OperationKind, WebhookSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    service_id: str
    plan_id: str
    parameters: Mapping[str, Any] = field(repr=False)
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Updating:
    """Answers updates."""

    store: InstanceStore
    operations: Operations
    webhooks: WebhookChanges
    settings: BrokerSettings

    def update(self, instance_id: str, raw: bytes, query: Mapping[str, str], *, now: datetime) -> Response:
        """PATCH /v2/service_instances/:instance_id"""
        checked_id(instance_id, "the instance id")
        body = Body.parse(raw)
        asked = _Asked(
            service_id=body.text("service_id"),
            plan_id=body.optional_text("plan_id"),
            parameters=body.object("parameters"),
            tags=body.tags(),
        )
        if asked.service_id not in plans(self.settings):
            raise BadRequest("service_id is not in the catalog")
        check_nested(body)
        check_async(flag(query, "accepts_incomplete"))
        check_maintenance(body)
        return retry_on_conflict(lambda: self._decide(self._existing(instance_id), asked, now=now))

    def _existing(self, instance_id: str) -> Instance:
        known = self.store.instance(instance_id)
        if known is None or not in_the_way(known) or (known.state is InstanceState.NEW and not known.busy):
            raise BadRequest("there is no such service instance")
        return known

    def _decide(self, known: Instance, asked: _Asked, *, now: datetime) -> Response:
        if asked.service_id != known.service_id:
            raise BadRequest("service_id is not the instance's")
        if asked.plan_id and asked.plan_id != known.plan_id:
            raise ChangeUnsupported("plan_id: the service has one plan, which cannot be changed")
        if known.lost_domain and not known.busy:
            raise ChangeUnsupported(f"the domain {known.domain} was released from this instance; delete the instance")
        operation = self._operation(known, asked.parameters, now=now)
        if known.busy:
            return self._meanwhile(known, operation)
        if known.dirty:
            raise ChangeUnsupported("an earlier deletion failed half way; delete the instance again")
        tagged = replace(known, tags={**known.tags, **asked.tags})
        if operation is not None:
            started = replace(tagged, operation=operation, past=past_operations(known, known.operation))
            started = self.store.save_instance(started)
            self.operations.enqueue(started)
            return accepted(started, **self._dashboard(known))
        if tagged.tags != known.tags:
            self.store.save_instance(tagged)
        return Response(status=200, body=self._dashboard(known))

    def _meanwhile(self, known: Instance, operation: Operation | None) -> Response:
        if not _same(known.operation, operation):
            raise ConcurrencyError(f"the instance is busy: {known.operation.kind} is under way")
        self.operations.enqueue(known)
        return accepted(known, **self._dashboard(known))

    def _dashboard(self, instance: Instance) -> dict[str, str]:
        return dashboard(self.settings.portal_url, instance)

    def _operation(self, known: Instance, given: Mapping[str, Any], *, now: datetime) -> Operation | None:
        """The operation that brings *given* about; None when there is nothing to do."""
        if known.ses is None:
            if given:
                raise ChangeUnsupported("parameters: a privatelink instance cannot be changed")
            return None
        wanted = parameters.update_ses(given, current=known.ses, domain=known.domain)
        parameters.check_mail_from(wanted.ses, known.domain)
        changes = self.webhooks.changes(known, wanted.bindings)
        due = "admin_email" in given and known.made.confirmation_withheld
        if wanted.ses == known.ses and not changes and not due:
            return None
        return replace(
            self.operations.begin(OperationKind.UPDATE, now=now),
            ses=wanted.ses,
            webhooks=changes,
            changes_mail_from=wanted.ses.mail_from_subdomain != known.ses.mail_from_subdomain,
        )


def _same(known: Operation, wanted: Operation | None) -> bool:
    if wanted is None or known.kind is not OperationKind.UPDATE or known.ses != wanted.ses:
        return False

    def public(operation: Operation) -> list[tuple[str, str, WebhookSettings]]:
        """Without the ciphertexts, which differ each time; marks say whether the userinfo does."""
        return [(c.binding_id, c.mark, replace(c.after, ciphertext=b"")) for c in operation.webhooks]

    return public(known) == public(wanted)
