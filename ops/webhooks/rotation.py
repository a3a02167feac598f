"""`ops webhooks rotate`: a new signing secret, which signs beside the old one for a day, or replaces it at once."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from lambdas.aws.clients import client
from lambdas.aws.dynamodb.webhooks.webhook_rotation import WebhookRotation
from lambdas.domain.errors import VersionConflict
from lambdas.domain.webhooks.target import Target
from ops.command_line.console import STACK, Json, StackName, clear_errors, fail, say, when
from ops.deployment.stack import Stack
from ops.deployment.tools import tools

OVERLAP = timedelta(hours=24)  # in which both secrets sign


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
    with clear_errors():
        found = tools(stack)
        target, item = found.webhook(webhook)
        until = _replace(found.stack, target, now=datetime.now(UTC), at_once=at_once)
    bindings = tuple(item.get("bindings", ()))
    row = {"webhook": webhook, "replaced": True, "bindings": bindings, "old_secret_signs_until": until}
    say(_told(webhook, bindings, until), row, as_json=as_json)


def _replace(stack: Stack, target: Target, *, now: datetime, at_once: bool) -> datetime | None:
    """Have a new secret sign; when the old one ends, None for at once.

    One write replaces the secret for delivery and for all bindings, which read it from the webhook.
    """
    if not target.ciphertext:
        fail(f"webhook {target.webhook_id} has no secret: it sends digests by e-mail")
    if len(target.ciphertexts(now=now)) > 1 and not at_once:
        fail(
            f"webhook {target.webhook_id} has no new secret: a rotation is under way, and the old secret signs until "
            f"{when(target.previous_expires_at)}. To replace the secret again at once: "
            f"`webhooks rotate {target.webhook_id} --now`"
        )
    until = None if at_once else now + OVERLAP
    secrets = WebhookRotation(
        client("dynamodb"), client("kms"), table=stack.tables["webhooks"], key_arn=stack.outputs["KeyArn"]
    )
    try:
        secrets.replace(target, until=until)
    except VersionConflict:
        fail("the webhook was changed at the same moment; try again")
    return until


def _told(webhook: str, bindings: tuple[str, ...], until: datetime | None) -> str:
    end = f"signs until {when(until)}" if until else "signs no more (within 10 s everywhere)"
    return (
        f"Webhook {webhook} has a new secret; {', '.join(bindings) or 'no binding'} show it when they are fetched. The "
        f"old secret {end}.\nOn Cloud Foundry the application gets it by a new binding: see docs/tenants.md."
    )
