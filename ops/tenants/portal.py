"""`ops portal`: one-time links that sign somebody in to the portal, and ending sessions."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from lambdas.aws.clients import client
from lambdas.aws.dynamodb.portal_table import PortalTable
from lambdas.domain.portal import LONGEST, OPERATOR, Link, Right
from ops.command_line.console import STACK, Json, StackName, clear_errors, fail, say, show_one
from ops.deployment.tools import Tools, tools

_HOURS = int(LONGEST.total_seconds() // 3600)


def portal(
    instance: Annotated[
        str | None, typer.Argument(metavar="INSTANCE", help="An instance: its id, name or domain.")
    ] = None,
    operator: Annotated[
        bool, typer.Option("--operator", help="For all instances, with the operator's actions.")
    ] = False,
    hours: Annotated[int, typer.Option(min=1, max=_HOURS, help="How long the session lasts.")] = _HOURS,
    read_only: Annotated[bool, typer.Option("--read-only", help="The session may look and not act.")] = False,
    sign_out: Annotated[
        bool, typer.Option("--sign-out", help="End all sessions and unused links for the instance, or the operators'.")
    ] = False,
    stack: StackName = STACK,
    as_json: Json = False,
) -> None:
    """Make a link that signs in once, within 15 minutes: for one instance, or with --operator for all."""
    if (instance is None) is not operator:
        fail("give an INSTANCE or --operator, one of them")
    now = datetime.now(UTC)
    with clear_errors():
        found = tools(stack)
        table = PortalTable(client("dynamodb"), _table(found))
        whose = found.instance(instance).id if instance else OPERATOR
        if sign_out:
            ended = table.end_sessions(whose)
            say(f"Ended {ended} sessions and links.", {"ended": ended}, as_json=as_json)
            return
        link = Link(
            instance_id=whose,
            right=Right.READ if read_only else Right.MANAGE,
            who=f"link by {client('sts').get_caller_identity()['Arn']}",
            session_seconds=hours * 3600,
        )
        url = table.new_link(link, url=found.stack.outputs["PortalUrl"], now=now)
    if as_json:
        show_one({"url": url}, as_json=True)
    else:
        typer.echo(url)  # on one line, whatever the terminal's width


def _table(found: Tools) -> str:
    table = found.stack.tables.get("portal")
    if table is None:
        fail("this stack has no portal: deploy it with the context key portal")
    return table
