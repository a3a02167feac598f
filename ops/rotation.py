"""`ops webhooks rotate`: a new signing secret, which signs beside the old one for a day."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from lambdas.aws.binding_seal import BindingVault
from lambdas.aws.clients import client
from lambdas.aws.items import to_item
from lambdas.aws.seal import seal, unseal
from lambdas.aws.webhook_table import webhook_key
from lambdas.domain.signature import WebhookSecret, new_secret
from lambdas.domain.target import Target
from ops.console import STACK, Json, StackName, fail, say, told
from ops.tools import Tools, tools

OVERLAP = timedelta(hours=24)  # in which both secrets sign


def rotate(
    webhook: Annotated[str, typer.Argument(metavar="WEBHOOK", help="The webhook's id.")],
    stack: StackName = STACK,
    as_json: Json = False,
) -> None:
    """Give a webhook a new secret. The old one signs too for 24 hours; its bindings show the new one at once.

    Said again within those hours, it only completes what an interrupted rotation left undone.
    """
    now = datetime.now(UTC)
    with told():
        found = tools(stack)
        target, item = found.webhook(webhook)
        if not target.sealed:
            fail(f"webhook {webhook} has no secret: it sends digests")
        bindings = Rotation(found, target, item).run(now=now)
    row = {"webhook": webhook, "bindings": bindings, "old_secret_signs_until": now + OVERLAP}
    say(
        f"Webhook {webhook} has a new secret; {', '.join(bindings)} show it when they are fetched.",
        row,
        as_json=as_json,
    )


@dataclass(frozen=True)
class Rotation:
    """The webhook first, then its bindings: from the first write on both secrets verify, so any death is harmless."""

    found: Tools
    target: Target
    item: dict[str, Any]

    def run(self, *, now: datetime) -> list[str]:
        """Rotate, or complete a rotation of the last 24 hours; the bindings that show the new secret."""
        target = self.target
        secret = unseal(client("kms"), target.webhook_id, target.sealed)
        if len(target.seals(now=now)) == 1:
            secret = self._replace(secret, now=now)
        return [binding for binding in self.item.get("bindings", []) if self._show(binding, secret.secret)]

    def _replace(self, old: WebhookSecret, *, now: datetime) -> WebhookSecret:
        """Have a new secret sign beside the old one; unless somebody changed the webhook since it was read."""
        fresh = replace(old, secret=new_secret())
        dynamodb = client("dynamodb")
        values = {
            ":new": seal(client("kms"), self.found.stack.outputs["KeyArn"], self.target.webhook_id, fresh),
            ":old": self.target.sealed,
            ":until": (now + OVERLAP).isoformat(),
        }
        try:
            dynamodb.update_item(
                TableName=self.found.stack.tables["webhooks"],
                Key=to_item(webhook_key(self.target.instance_id, self.target.webhook_id)),
                UpdateExpression="SET sealed = :new, sealed_previous = :old, sealed_previous_until = :until",
                ConditionExpression="sealed = :old",
                ExpressionAttributeValues=to_item(values),
            )
        except dynamodb.exceptions.ConditionalCheckFailedException:
            fail("the webhook was changed in this moment; try again")
        return fresh

    def _show(self, binding_id: str, secret: str) -> bool:
        """Have a binding show *secret* among its credentials; False if there is no such binding any more."""
        vault = BindingVault(client("kms"), self.found.stack.outputs["KeyArn"])
        binding = self.found.broker.binding(self.target.instance_id, binding_id)
        if binding is None or not binding.sealed:
            return False
        kept = vault.open(binding_id, binding.sealed)
        if kept.webhook_secret != secret:
            sealed = vault.seal(binding_id, replace(kept, webhook_secret=secret))
            self.found.broker.save_binding(replace(binding, sealed=sealed))
        return True
