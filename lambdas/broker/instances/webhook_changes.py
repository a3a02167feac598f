"""The webhook changes of an update's `bindings`: each webhook before and after, with its secret encrypted."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace

from lambdas.broker.osb.errors import BadParameter
from lambdas.broker.osb.fields import Fields
from lambdas.broker.osb.parameters import WebhookRules, change_webhook
from lambdas.broker.ports import BindingReader, DecryptWebhookSecret, EncryptWebhookSecret, WebhookReader
from lambdas.domain.tenants.aws_names import is_id
from lambdas.domain.tenants.instance import BindingState, BindRequest, Instance, WebhookChange, WebhookSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookChanges:
    """The webhook changes of an update's `bindings`: settings before and after, with secrets encrypted."""

    store: BindingReader
    webhooks: WebhookReader
    encrypt_webhook_secret: EncryptWebhookSecret
    decrypt_webhook_secret: DecryptWebhookSecret
    rules: WebhookRules

    def changes(self, instance: Instance, given: Mapping[str, Fields]) -> tuple[WebhookChange, ...]:
        """Raises BadParameter that names the binding and the field."""
        found = [self._change(instance, binding_id, fields) for binding_id, fields in given.items()]
        return tuple(change for change in found if change is not None)

    def _change(self, instance: Instance, binding_id: str, fields: Fields) -> WebhookChange | None:
        name = f"bindings.{binding_id[:50]}"
        binding = self.store.binding(instance.id, binding_id) if is_id(binding_id) else None
        if binding is None or binding.state is not BindingState.READY:
            raise BadParameter(name, "is no binding of this service instance")
        kept = self.webhooks.get(instance.id, binding.webhook_id) if binding.webhook_id else None
        if kept is None:
            raise BadParameter(name, "has no webhook to change; rebind with notification_webhook")
        before = kept.settings
        secret = self.decrypt_webhook_secret(binding.webhook_id, before.ciphertext).secret
        wanted = change_webhook(fields, _request(binding.request, before), rules=self.rules)
        userinfo, ciphertext = None, before.ciphertext
        if "notification_webhook" in wanted.given:
            userinfo = wanted.userinfo
            ciphertext = self.encrypt_webhook_secret(binding.webhook_id, secret, userinfo)
        after = WebhookSettings(
            url=wanted.request.notification_webhook,
            events=wanted.request.notification_events,
            format=wanted.request.notification_format,
            scope=wanted.request.notification_scope,
            batch=wanted.request.notification_batch,
            batch_seconds=wanted.request.notification_batch_seconds,
            ciphertext=ciphertext,
        )
        if after == before:
            return None
        return WebhookChange(
            binding_id=binding_id,
            webhook_id=binding.webhook_id,
            before=before,
            after=after,
            mark=_mark(secret, userinfo),
        )


def _request(request: BindRequest, settings: WebhookSettings) -> BindRequest:
    return replace(
        request,
        notification_webhook=settings.url,
        notification_events=settings.events,
        notification_format=settings.format,
        notification_scope=settings.scope,
        notification_batch=settings.batch,
        notification_batch_seconds=settings.batch_seconds,
    )


def _mark(secret: str, userinfo: str | None) -> str:
    return hmac.digest(secret.encode(), (userinfo or "").encode(), hashlib.sha256).hex() if userinfo else ""
