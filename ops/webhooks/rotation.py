"""`ops webhooks rotate`: a new signing secret, which signs beside the old one for a day, or replaces it at once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from lambdas.aws.clients import client
from lambdas.aws.dynamodb.webhooks.webhook_rotation import WebhookChanged, WebhookRotation
from lambdas.aws.kms.binding_secrets import BindingSecretEncryption
from lambdas.domain.errors import VersionConflict
from lambdas.domain.webhooks.signature import WebhookSecret
from lambdas.domain.webhooks.target import Target
from ops.command_line.console import STACK, Json, StackName, fail, say, told, when
from ops.deployment.tools import Tools, tools

OVERLAP = timedelta(hours=24)  # in which both secrets sign


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """What a rotation did. `replaced`: there is a new secret; `shown`: the bindings that were given it just now.

    `until` is when the old secret ends; None: it ended at once.
    """

    replaced: bool
    shown: tuple[str, ...]
    until: datetime | None


def rotate(
    webhook: Annotated[str, typer.Argument(metavar="WEBHOOK", help="The webhook's id.")],
    at_once: Annotated[
        bool, typer.Option("--now", help="End the old secret at once: for one that leaked, also during a rotation.")
    ] = False,
    stack: StackName = STACK,
    as_json: Json = False,
) -> None:
    """Give a webhook a new secret. The old one signs too for 24 hours; its bindings show the new one at once.

    Within those hours, a second rotation is refused: it would end a secret that the application may still use. Use
    --now to replace a leaked secret whatever is under way. The application then rejects webhooks until it has the new
    one; they are retried for three days.
    """
    now = datetime.now(UTC)
    with told():
        found = tools(stack)
        target, item = found.webhook(webhook)
        if not target.ciphertext:
            fail(f"webhook {webhook} has no secret: it sends digests by e-mail")
        try:
            done = Rotation(found, target, item).run(now=now, at_once=at_once)
        except VersionConflict:
            fail("a binding was changed at the same moment; run `webhooks rotate` again to complete the rotation")
    if not done.replaced and not done.shown:
        fail(
            f"webhook {webhook} has no new secret: a rotation is under way, and the old secret signs until "
            f"{when(done.until)}. To replace the secret again at once: `webhooks rotate {webhook} --now`"
        )
    row = {"webhook": webhook, "replaced": done.replaced, "bindings": done.shown, "old_secret_signs_until": done.until}
    say(_told(webhook, done), row, as_json=as_json)


def _told(webhook: str, done: Rotated) -> str:
    bindings = ", ".join(done.shown) or "no binding"
    if not done.replaced:
        return f"An interrupted rotation of webhook {webhook} is complete: {bindings} show the new secret now."
    end = f"signs until {when(done.until)}" if done.until else "signs no more (within 10 s everywhere)"
    return (
        f"Webhook {webhook} has a new secret; {bindings} show it when they are fetched. The old secret {end}.\n"
        "On Cloud Foundry the application gets it by a new binding: see docs/tenants.md."
    )


@dataclass(frozen=True)
class Rotation:
    """The webhook first, then its bindings: from the first write on both secrets verify, so any crash is harmless."""

    found: Tools
    target: Target
    item: dict[str, Any]

    def run(self, *, now: datetime, at_once: bool) -> Rotated:
        """Rotate, or complete a rotation of the last 24 hours. Raises VersionConflict; then run it again."""
        secret = self._secrets.current(self.target)
        under_way = len(self.target.ciphertexts(now=now)) > 1
        until = self.target.previous_expires_at if under_way else now + OVERLAP
        replaced = at_once or not under_way
        if replaced:
            until = None if at_once else until
            secret = self._replace(until=until)
        return Rotated(replaced=replaced, shown=self._show(secret.secret), until=until)

    def _replace(self, *, until: datetime | None) -> WebhookSecret:
        """Have a new secret sign, beside the old one *until* then; unless somebody changed the webhook meanwhile."""
        try:
            return self._secrets.replace(self.target, until=until)
        except WebhookChanged:
            fail("the webhook was changed at the same moment; try again")

    @property
    def _secrets(self) -> WebhookRotation:
        stack = self.found.stack
        return WebhookRotation(
            client("dynamodb"), client("kms"), table=stack.tables["webhooks"], key_arn=stack.outputs["KeyArn"]
        )

    def _show(self, secret: str) -> tuple[str, ...]:
        """Have every binding of the webhook show *secret*; those that did not show it before."""
        bindings: Sequence[str] = self.item.get("bindings", [])
        return tuple(binding for binding in bindings if self._show_in(binding, secret))

    def _show_in(self, binding_id: str, secret: str) -> bool:
        secret_encryption = BindingSecretEncryption(client("kms"), self.found.stack.outputs["KeyArn"])
        binding = self.found.broker.binding(self.target.instance_id, binding_id)
        if binding is None or not binding.ciphertext:
            return False
        kept = secret_encryption.decrypt(binding_id, binding.ciphertext)
        if kept.webhook_secret == secret:
            return False
        ciphertext = secret_encryption.encrypt(binding_id, replace(kept, webhook_secret=secret))
        self.found.broker.save_binding(replace(binding, ciphertext=ciphertext))
        return True
