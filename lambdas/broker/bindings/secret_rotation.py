"""Rotation of a shared webhook's signing secret (`notification_rotate_secret`): both secrets sign for a day."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from lambdas.broker.osb.errors import BadParameter
from lambdas.broker.ports import DecryptWebhookSecret, EncryptWebhookSecret, WebhookSecretStore
from lambdas.domain.tenants.instance import Binding

OVERLAP = timedelta(hours=24)  # both secrets sign for so long: the application uses the new one once it is restaged


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRotation:
    """Replaces a webhook's secret once for a binding, however often the bind is repeated."""

    webhooks: WebhookSecretStore
    decrypt: DecryptWebhookSecret
    encrypt: EncryptWebhookSecret

    def run(self, binding: Binding, secret: str, *, now: datetime) -> None:
        """Have the binding's webhook sign with *secret*. Raises BadParameter while an earlier rotation is under way."""
        kept = self.webhooks.get(binding.instance_id, binding.webhook_id)
        if kept is None:
            raise BadParameter("predecessor_binding_id", "was unbound meanwhile; bind without it")
        before = kept.settings.ciphertext
        current = self.decrypt(binding.webhook_id, before)
        if current.secret == secret:  # an earlier attempt of the same bind did this already
            return
        after = self.encrypt(binding.webhook_id, secret, current.userinfo)
        if not self.webhooks.replace_secret(
            binding.instance_id, binding.webhook_id, before=before, after=after, until=now + OVERLAP, now=now
        ):
            raise BadParameter(
                "notification_rotate_secret",
                "the webhook got a new secret within the last 24 hours, and the one before still signs; bind without "
                "it, or try again later",
            )
