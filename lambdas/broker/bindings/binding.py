"""Binding (PUT of a service binding, synchronous) and reading bindings.

An intent is recorded before anything is created. If a bind crashes, its repetition completes it, or cleanup removes it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from lambdas.broker.bindings.maker import WORKING, Maker, link_of
from lambdas.broker.bindings.predecessor import FromPredecessor, take_over
from lambdas.broker.bindings.unbinding import Unbinding, without
from lambdas.broker.limits import Limits
from lambdas.broker.operations.requests import retry_on_conflict
from lambdas.broker.osb.catalog import SES_SERVICE, id_in_cell, plans
from lambdas.broker.osb.errors import BadParameter, BadRequest, ConcurrencyError, Conflict, Gone, NotFound
from lambdas.broker.osb.parameters import BindParameters, WebhookRules, bind_ses, check_needed
from lambdas.broker.osb.requests import Body, Offer, Response, check_nested, checked_id, flag
from lambdas.broker.ports import BindingStore, DecryptWebhookSecret, SecretEncryption, WebhookReader
from lambdas.broker.settings import BrokerSettings
from lambdas.domain.errors import NotOurs, VersionConflict
from lambdas.domain.tenants.aws_names import is_id
from lambdas.domain.tenants.instance import Binding, BindingSecret, BindingState, BindRequest, Instance, InstanceState


@dataclass(frozen=True, slots=True, kw_only=True)
class Binder:
    """Answers binds."""

    store: BindingStore
    secret_encryption: SecretEncryption
    decrypt_webhook_secret: DecryptWebhookSecret
    webhooks: WebhookReader
    makers: Mapping[str, Maker]  # by service id
    unbinding: Unbinding
    settings: BrokerSettings
    rules: WebhookRules
    limits: Limits
    new_id: Callable[[], str]
    new_secret: Callable[[], str]

    def bind(
        self, instance_id: str, binding_id: str, raw: bytes, query: Mapping[str, str], *, now: datetime
    ) -> Response:
        """PUT /v2/service_instances/:instance_id/service_bindings/:binding_id"""
        checked_id(instance_id, "the instance id")
        checked_id(binding_id, "the binding id")
        flag(query, "accepts_incomplete")
        body = Body.parse(raw)
        chosen = body.offer(plans(self.settings))
        check_nested(body)
        return retry_on_conflict(lambda: self._bind(instance_id, binding_id, body, chosen, now=now))

    def _bind(self, instance_id: str, binding_id: str, body: Body, chosen: Offer, *, now: datetime) -> Response:
        instance = self._instance(instance_id, chosen)
        known = self.store.binding(instance_id, binding_id)
        asked = self._asked(body, chosen)
        if known is not None and known.state is not BindingState.GONE:
            return self._again(known, instance, asked, now=now)
        if self.store.instance_of_binding(binding_id) not in (None, instance_id):
            raise Conflict("a binding with this id exists under another service instance")
        _check_free(instance)
        taken_over = self._taken_over(instance, asked)
        check_needed(asked.given, taken_over.request)
        if asked.request.rotate_secret and not taken_over.webhook_id:
            raise BadParameter(
                "notification_rotate_secret",
                "needs predecessor_binding_id and the predecessor's webhook; a webhook of its own gets a new secret",
            )
        link = self._link(instance, taken_over.request.privatelink_instance_id)
        self.makers[instance.service_id].check_room()
        intent = self._intent(instance, binding_id, asked, taken_over, now=now)
        self.limits.check(instance, intent)
        intent = replace(intent, version=known.version if known else 0)
        return self._make(self._record(intent, instance, link), now=now)

    def _instance(self, instance_id: str, chosen: Offer) -> Instance:
        instance = self.store.instance(instance_id)
        if instance is None or instance.state is InstanceState.GONE:
            raise BadRequest("there is no such service instance")
        if instance.state is InstanceState.NEW:
            if instance.busy:
                raise ConcurrencyError("the instance is not ready yet")
            raise BadRequest("the service instance could not be created")
        if (instance.service_id, instance.plan_id) != (chosen.service_id, chosen.plan_id):
            raise BadRequest("service_id or plan_id is not the instance's")
        return instance

    def _asked(self, body: Body, chosen: Offer) -> BindParameters:
        given = body.object("parameters")
        resource = body.object("bind_resource")
        base = BindRequest(
            service_id=chosen.service_id,
            plan_id=chosen.plan_id,
            predecessor_binding_id=body.optional_text("predecessor_binding_id"),
            app_guid=str(resource.get("app_guid") or body.optional_text("app_guid")),
        )
        if chosen.service_id == id_in_cell(SES_SERVICE, self.settings):
            return bind_ses(given, base, rules=self.rules)
        for name in given:
            raise BadParameter(name[:60], "unknown; a privatelink binding takes no parameters")
        return BindParameters(request=base)

    def _again(self, known: Binding, instance: Instance, asked: BindParameters, *, now: datetime) -> Response:
        if known.state is BindingState.LEAVING:
            raise ConcurrencyError("the binding is being deleted")
        if not self._is_same(known, asked):
            raise Conflict("a service binding with this id exists with other parameters")
        if known.state is BindingState.READY:
            return Response(status=200, body=self._shown(known, instance))
        if known.busy_until is not None and known.busy_until > now:
            raise ConcurrencyError("the binding is being created")
        taken = self.store.save_binding(replace(known, busy_until=now + WORKING))
        return self._make(taken, now=now)

    def _is_same(self, known: Binding, asked: BindParameters) -> bool:
        if known.request != asked.request:
            return False
        if not asked.request.notification_webhook:
            return True
        # what the bind asked for; an update may have changed the webhook since
        return self.secret_encryption.decrypt(known.id, known.ciphertext).asked_userinfo == asked.userinfo

    def _taken_over(self, instance: Instance, asked: BindParameters) -> FromPredecessor:
        predecessor_id = asked.request.predecessor_binding_id
        if not predecessor_id:
            return FromPredecessor(request=asked.request)
        predecessor = self.store.binding(instance.id, predecessor_id) if is_id(predecessor_id) else None
        if predecessor is None or predecessor.state is not BindingState.READY:
            raise BadParameter("predecessor_binding_id", "is no binding of this service instance")
        webhook_id = predecessor.webhook_id
        kept = self.webhooks.get(instance.id, webhook_id) if webhook_id else None
        secret = self.decrypt_webhook_secret(webhook_id, kept.settings.ciphertext) if kept else None
        return take_over(asked, predecessor, kept, secret)

    def _link(self, instance: Instance, link_id: str) -> Instance | None:
        if not link_id:
            return None
        link = self.store.instance(link_id)
        name = "privatelink_instance_id"
        if link is None or link.privatelink is None or link.state is not InstanceState.READY:
            raise BadParameter(name, "is no privatelink service instance that is ready")
        if (link.organization_guid, link.space_guid) != (instance.organization_guid, instance.space_guid):
            raise BadParameter(name, "is an instance of another organization or space")
        if link.busy or link.dirty:
            raise ConcurrencyError("the privatelink instance is busy")
        return link

    def _intent(
        self, instance: Instance, binding_id: str, asked: BindParameters, taken_over: FromPredecessor, *, now: datetime
    ) -> Binding:
        request = taken_over.request
        fresh = bool(request.notification_webhook) and not taken_over.webhook_id
        secret = BindingSecret(
            webhook_secret=self.new_secret() if fresh or request.rotate_secret else "",
            webhook_userinfo=asked.userinfo if fresh else None,
            asked_userinfo=asked.userinfo,
        )
        return Binding(
            id=binding_id,
            instance_id=instance.id,
            state=BindingState.INTENT,
            request=asked.request,
            effective=request,
            created_at=now,
            webhook_id=taken_over.webhook_id or (f"wh-{self.new_id()}" if fresh else ""),
            email_webhook_id=taken_over.email_webhook_id
            or (f"email-{binding_id}" if request.notification_email else ""),
            shares_webhook=bool(taken_over.webhook_id),
            shares_email=bool(taken_over.email_webhook_id),
            ciphertext=self.secret_encryption.encrypt(binding_id, secret),
            busy_until=now + WORKING,
        )

    def _record(self, intent: Binding, instance: Instance, link: Instance | None) -> Binding:
        instances = [replace(instance, bindings=_with(instance.bindings, intent.id))]
        if link is not None:
            instances.append(replace(link, referrers=_with(link.referrers, intent.id)))
        return self.store.save_binding(intent, instances=tuple(instances))

    def _make(self, intent: Binding, *, now: datetime) -> Response:
        """Create what the intent describes. If any part fails, remove all of it."""
        instance = self.store.instance(intent.instance_id)
        if instance is None:
            raise BadRequest("there is no such service instance")
        try:
            made = self.makers[instance.service_id].make(intent, instance, now=now)
            ready = self.store.save_binding(replace(made, state=BindingState.READY, busy_until=None))
        except VersionConflict:
            raise ConcurrencyError("another request for this binding took over") from None
        except Exception as error:
            self.unbinding.leave(intent, now=now)
            if isinstance(error, NotOurs):
                raise Conflict(f"a name of this binding is taken in AWS: {error}") from None
            raise
        return Response(status=201, body=self._shown(ready, instance))

    def _shown(self, binding: Binding, instance: Instance) -> dict[str, Any]:
        """The instructions of a bind, equal for every repetition; a fetch returns the present state."""
        link = link_of(binding, self.store)
        return self.makers[instance.service_id].show(binding, instance, link, current=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingQueries:
    """Answers fetches and polls."""

    store: BindingStore
    makers: Mapping[str, Maker]

    def fetch(self, instance_id: str, binding_id: str) -> Response:
        """GET /v2/service_instances/:instance_id/service_bindings/:binding_id"""
        real = is_id(instance_id) and is_id(binding_id)
        known = self.store.binding(instance_id, binding_id) if real else None
        instance = self.store.instance(instance_id) if real else None
        if known is None or instance is None or known.state is not BindingState.READY:
            raise NotFound("there is no such service binding, or it is not ready yet")
        link = link_of(known, self.store)
        return Response(status=200, body=self.makers[instance.service_id].show(known, instance, link, current=True))

    def last_operation(self, instance_id: str, binding_id: str) -> Response:
        """GET /v2/service_instances/:instance_id/service_bindings/:binding_id/last_operation"""
        real = is_id(instance_id) and is_id(binding_id)
        known = self.store.binding(instance_id, binding_id) if real else None
        if known is None:
            raise NotFound("there is no such service binding")
        match known.state:
            case BindingState.GONE:
                raise Gone("the service binding was deleted")
            case BindingState.READY:
                return Response(status=200, body={"state": "succeeded", "description": "Bound"})
        words = "Binding" if known.state is BindingState.INTENT else "Unbinding"
        return Response(status=200, body={"state": "in progress", "description": words}, headers={"Retry-After": "10"})


def _check_free(instance: Instance) -> None:
    if instance.lost_domain and not instance.busy:
        raise BadRequest(f"the domain {instance.domain} was released from this service instance; delete the instance")
    if instance.busy:
        raise ConcurrencyError(f"the instance is busy: {instance.operation.kind} is under way")
    if instance.dirty:
        raise BadRequest("an earlier deletion of the instance failed half way; delete it again")


def _with(ids: tuple[str, ...], added: str) -> tuple[str, ...]:
    return (*without(ids, added), added)
