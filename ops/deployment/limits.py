"""`ops limits`: the quotas that instances and bindings use up, with their growth."""

from typing import Any

from ops.command_line.console import STACK, Json, StackName, clear_errors, show
from ops.deployment.stack import find
from ops.doctor.account import Account
from ops.doctor.quotas import Usage, finding, usages


def limits(stack: StackName = STACK, as_json: Json = False) -> None:
    """Show the quotas of this account and region, how much is used, and when they are full."""
    with clear_errors():
        rows = [_row(usage) for usage in usages(Account(stack=find(stack)))]
    show(rows, title="Quotas", empty="No quotas.", as_json=as_json)


def _row(usage: Usage) -> dict[str, Any]:
    days = usage.days_left
    return {
        "resource": usage.resource,
        "used": usage.used,
        "quota": usage.quota,
        "share": f"{usage.used / usage.quota:.1%}",
        "in 30 days": usage.recent,
        "full in days": None if days is None else round(days),
        "level": finding(usage).level.value,
    }
