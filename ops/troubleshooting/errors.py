"""`ops errors`: what the functions logged as an error, the latest first. Alarms lead here."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from ops.command_line.console import STACK, Json, StackName, clear_errors, fail, show
from ops.command_line.moments import moment
from ops.deployment.tools import tools
from ops.troubleshooting.function_logs import AT, FunctionLogs, Line

_REFUSED = "error_code"  # a field of lines on calls that AWS denied, which are errors at any level
_SIGNS = ("ERROR", "CRITICAL", _REFUSED, "Task timed out", '"status":"timeout"')  # of our loggers, and of Lambda itself
_LONGEST = timedelta(days=90)
_KNOWN = {AT, "level", "message", "location", "timestamp", "service", "exception", "exception_name", "stack_trace"}


def errors(
    function: Annotated[str | None, typer.Argument(metavar="[FUNCTION]", help="Only this function's.")] = None,
    since: Annotated[str, typer.Option(help="Since then: 2026-11-21T04:00:00Z, or how long ago: 90m, 12h, 3d.")] = "3h",
    limit: Annotated[int, typer.Option("--max", help="Show at most this many.", min=1)] = 50,
    stack: StackName = STACK,
    as_json: Json = False,
) -> None:
    """Show what the functions logged as errors, the latest first."""
    now = datetime.now(UTC)
    start = moment(since, now=now, longest=_LONGEST, kept="errors are looked for")
    with clear_errors():
        found = tools(stack).stack
        if function is not None and function not in found.functions:
            fail(f"there is no function {function}; there are {', '.join(found.functions)}")
        names = [function] if function else list(found.functions)
        rows = [row for name in names for row in _rows(FunctionLogs(found, name), start, now)]
    rows.sort(key=lambda row: row["at"], reverse=True)
    show(rows[:limit], title="Errors", empty="No errors.", as_json=as_json)


def _rows(logs: FunctionLogs, since: datetime, until: datetime) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    for sign in _SIGNS:
        for line in logs.lines(containing=sign, since=since, until=until):
            if _is_error(line) and repr(line) not in seen:
                seen.add(repr(line))
                yield _row(logs.function, line)


def _is_error(line: Line) -> bool:
    """A word that looks like an error in an informative line is none."""
    return line.get("level") in (None, "ERROR", "CRITICAL") or _REFUSED in line


def _row(function: str, line: Line) -> dict[str, Any]:
    record = line.get("record")
    return {
        "at": line[AT],
        "function": function,
        "message": line.get("message", ""),
        "exception": line.get("exception_name") or line.get("errorType"),
        "details": {name: value for name, value in line.items() if name not in _KNOWN} or record,
    }
