"""`ops operations`: what the broker is doing, and what does not end."""

from datetime import UTC, datetime
from typing import Any

from lambdas.domain.tenants.instance import Unfinished
from ops.command_line.console import STACK, Json, StackName, clear_errors, show
from ops.deployment.tools import Tools, tools
from ops.tenants.directory import named


def operations(stack: StackName = STACK, as_json: Json = False) -> None:
    """Show the operations that have not ended, the oldest first: their step, failures, and when they last moved."""
    with clear_errors():
        using = tools(stack)
        waiting = sorted(using.broker.unfinished(), key=lambda one: one.started_at)
        rows = [_row(using, one, datetime.now(UTC)) for one in waiting]
    show(rows, title="Operations", empty="No operation is under way.", as_json=as_json)


def _row(using: Tools, one: Unfinished, now: datetime) -> dict[str, Any]:
    instance = using.broker.instance(one.instance_id)
    operation = instance.operation if instance else None
    return {
        "instance": one.instance_id,
        "name": named(instance).name if instance else "",
        "operation": operation.kind.value if operation else "",
        "phase": operation.phase.value if operation else "",
        "step": operation.step if operation else "",
        "failures": operation.failures if operation else 0,
        "minutes": round((now - one.started_at).total_seconds() / 60),
        "moved": one.touched_at,
        "description": operation.description if operation else "",
    }
