"""Which calls AWS refused to the stack's functions, from their logs: what CloudTrail would show, without its delay."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from lambdas.aws.refusals import Refusal, refusal_in
from ops.deployment.stack import Stack
from ops.troubleshooting.function_logs import FunctionLogs, Line

_SIGNS = ("error_code", "An error occurred (")  # our loggers' field; errors that nobody caught, logged by Lambda


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedCall:
    """A call that AWS refused to a function, by its name in the stack's outputs."""

    function: str
    action: str
    resource: str
    code: str

    def __str__(self) -> str:
        """For people."""
        where = f" on {self.resource}" if self.resource else ""
        return f"AWS refused function {self.function} {self.action}{where} ({self.code})"


def refused_calls(stack: Stack, *, since: datetime, until: datetime) -> list[RefusedCall]:
    """Each refused call of that time once, in the order of the functions."""
    found = {call: None for function in stack.functions for call in _of(FunctionLogs(stack, function), since, until)}
    return list(found)


def _of(logs: FunctionLogs, since: datetime, until: datetime) -> Iterator[RefusedCall]:
    for sign in _SIGNS:
        for line in logs.lines(containing=sign, since=since, until=until):
            if refusal := _refusal(line):
                yield RefusedCall(
                    function=logs.function, action=refusal.action, resource=refusal.resource, code=refusal.code
                )


def _refusal(line: Line) -> Refusal | None:
    """From the fields of our loggers (lambdas.aws.refusals), or from the text of Lambda's own line."""
    if "error_code" in line:
        return Refusal(code=line["error_code"], action=line["action"], resource=line["resource"])
    return refusal_in(str(line.get("errorMessage") or line.get("message") or ""))
