"""`ops suppression` and `ops resubscribe`: addresses that mail no longer reaches."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from lambdas.aws.clients import client
from lambdas.domain.tenants import aws_names
from lambdas.domain.tenants.confirmation_mail import refusal
from ops.command_line.console import STACK, Json, StackName, clear_errors, examples, fail, say
from ops.deployment.tools import Tools, tools
from ops.tenants.directory import UnknownInstance

suppression = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The account's suppression list: remove.")


@suppression.command(epilog=examples("suppression remove joe@example.org"))
def remove(
    address: Annotated[str, typer.Argument(help="The address that mail may be sent to again.")],
    as_json: Json = False,
) -> None:
    """Take an address off the account's suppression list. All tenants share the list."""
    with clear_errors():
        ses = client("sesv2")
        try:
            ses.delete_suppressed_destination(EmailAddress=address)
        except ses.exceptions.NotFoundException:
            fail(f"{address} is not on the suppression list")
    row = {"address": address, "removed": True}
    say(f"{address} is off the suppression list, for all tenants.", row, as_json=as_json)


@suppression.callback()
def _group() -> None:
    """Keep `remove` a command of its own, though it is the only one."""


def resubscribe(
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="A binding's id (its digests), or an instance's id, name or domain.")
    ],
    stack: StackName = STACK,
    as_json: Json = False,
) -> None:
    """Ask a recipient again to confirm. An unconfirmed subscription expires after 48 hours.

    Counts towards the confirmation mails that one address may get in a day (confirmation_mails_per_day).
    """
    with clear_errors():
        found = tools(stack)
        topic, email = _binding(found, target) or _instance(found, target)
        arn = found.stack.arn_prefix + topic
        confirmed = found.topics.confirmed(arn, email)
        if not confirmed and not found.topics.ask_again(arn, email):
            fail(refusal(datetime.now(UTC)))
    text = f"{email} is confirmed already." if confirmed else f"{email} is asked to confirm (the mail comes from AWS)."
    say(text, {"id": target, "topic": arn, "email": email, "confirmed": confirmed}, as_json=as_json)


def _binding(found: Tools, binding_id: str) -> tuple[str, str] | None:
    instance_id = found.broker.instance_of_binding(binding_id)
    binding = found.broker.binding(instance_id, binding_id) if instance_id else None
    email = binding.effective.notification_email if binding else None
    if binding is None or not email:
        return None
    owner = binding.email_webhook_id.removeprefix("email-") or binding.id  # the first binding of a rotation
    return aws_names.notification_topic(owner), email


def _instance(found: Tools, text: str) -> tuple[str, str]:
    try:
        instance = found.broker.instance(found.directory.find(text).id)
    except UnknownInstance as unknown:
        fail(f"{text} is not a binding with a notification_email, and {unknown}")
    if instance is None or not instance.made.alert_email:
        fail(f"instance {text} has no admin_email")
    return aws_names.alert_topic(instance.id), instance.made.alert_email
