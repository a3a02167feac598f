"""`ops domain release`: take a domain from an instance that claimed it and never verified it."""

import uuid
from datetime import UTC, datetime
from typing import Annotated

import typer

from lambdas.aws.clients import client
from lambdas.aws.sqs.operations_queue import OperationsQueue
from lambdas.broker.instances.domain_takeover import begin_release
from lambdas.broker.operations.requests import Operations
from lambdas.broker.osb.errors import BrokerError
from ops.command_line.console import STACK, Json, StackName, clear_errors, examples, fail, say
from ops.deployment.tools import tools

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Domains: release an unverified claim.")


@app.command(epilog=examples('domain release agency.gov --reason "claimed by mistake" --reserve-for ORGANIZATION-GUID'))
def release(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The domain.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; the instance's admin address reads it.")],
    reserve_for: Annotated[
        str, typer.Option("--reserve-for", help="The organization (guid) that alone may claim it for 72 hours.")
    ] = "",
    stack: StackName = STACK,
    as_json: Json = False,
) -> None:
    """Release a domain: its instance loses the identity and the right to send. A verified domain is refused."""
    domain = name.lower().rstrip(".")
    with clear_errors():
        found = tools(stack)
        claim = next((one for one in found.broker.claims_related(domain) if one.domain == domain), None)
        if claim is None or not claim.instance_id:
            fail(f"no instance holds {domain}")
        if claim.verified:
            fail(f"{domain} is verified for instance {claim.instance_id}: a verified claim is not released")
        queue = OperationsQueue(client("sqs"), found.stack.queues["operations"])
        operations = Operations(tasks=queue, new_id=lambda: uuid.uuid4().hex)
        why = f"the operator released it ({reason})"
        now = datetime.now(UTC)
        try:
            holder = begin_release(found.broker, operations, claim, reason=why, reserved_for=reserve_for, now=now)
        except BrokerError as error:
            fail(str(error))
    text = f"{domain} is being released from {holder.id}; `python -m ops instances show {holder.id}` says how it ends."
    row = {"domain": domain, "instance": holder.id, "operation": holder.operation.id, "reserved_for": reserve_for}
    say(text, row, as_json=as_json)


@app.callback()
def _group() -> None:
    """Keep `release` a command of its own, though it is the only one."""
