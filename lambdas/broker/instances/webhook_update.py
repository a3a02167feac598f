"""Carries out an update's webhook changes, and takes them back when the update is rolled back."""

from dataclasses import dataclass, replace
from functools import partial

from lambdas.broker.bindings.webhook_test import Bound, SendTest
from lambdas.broker.operations.engine import StepDone, StepOutcome
from lambdas.broker.operations.requests import retry_on_conflict
from lambdas.broker.ports import DecryptWebhookSecret, EncryptWebhookSecret, WebhookSettingsStore
from lambdas.domain.tenants.instance import Instance, Phase, WebhookChange, WebhookSettings

TEST_AFTER = 6  # s: delivery caches webhooks for 5 s, and would test the old URL


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookUpdate:
    """The step of an update that changes webhooks.

    The signing secret stays the one that the webhook has when it is changed: it may have been rotated after the
    update was asked for. Only the URL's userinfo, which is encrypted together with it, is the update's.
    """

    webhooks: WebhookSettingsStore
    encrypt: EncryptWebhookSecret
    decrypt: DecryptWebhookSecret
    test: SendTest

    def run(self, instance: Instance) -> StepOutcome:
        """Change each webhook, or restore it on the way back. Each is tested, as a new one is."""
        operation = instance.operation
        for change in operation.webhooks:
            settings = change.after if operation.phase is Phase.APPLY else change.before
            retry_on_conflict(partial(self._change, instance.id, change, settings))
            of, test_id = Bound(instance.id, change.binding_id), f"{operation.id} {operation.phase}"
            self.test(change.webhook_id, settings, of=of, test_id=test_id, now=operation.started_at, delay=TEST_AFTER)
        return StepDone()

    def _change(self, instance_id: str, change: WebhookChange, settings: WebhookSettings) -> None:
        kept = self.webhooks.get(instance_id, change.webhook_id)
        if kept is None:
            return  # unbound meanwhile
        present = kept.settings.ciphertext
        ciphertext = present
        if change.before.ciphertext != change.after.ciphertext:
            ciphertext = self._with_userinfo_of(change.webhook_id, present, settings.ciphertext)
        self.webhooks.change(instance_id, change.webhook_id, replace(settings, ciphertext=ciphertext), before=present)

    def _with_userinfo_of(self, webhook_id: str, present: bytes, asked: bytes) -> bytes:
        """*present*'s secret with *asked*'s userinfo; *present* itself if that is its userinfo already."""
        secret, userinfo = self.decrypt(webhook_id, present), self.decrypt(webhook_id, asked).userinfo
        return present if secret.userinfo == userinfo else self.encrypt(webhook_id, secret.secret, userinfo)
