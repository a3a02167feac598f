"""How operators' commands speak: tables for people, JSON with --json, and errors in one line."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, NoReturn

import typer
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError
from rich.console import Console
from rich.table import Table

from ops.stack import DEFAULT_NAME, NO_REGION, StackMissing

Json = Annotated[bool, typer.Option("--json", help="Write JSON instead of a table.")]
StackName = Annotated[
    str, typer.Option("--stack", envvar="SES_FEEDBACK_STACK_NAME", help="CloudFormation stack.", show_default=True)
]
STACK = DEFAULT_NAME

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Shown:
    """A value with a colour, for tables; JSON gets the value."""

    value: Any
    style: str


def show(rows: Sequence[Row], *, title: str, empty: str, as_json: bool) -> None:
    """Write *rows*, which have the same keys, as a table, or *empty* if there are none; as JSON, always a list."""
    if as_json:
        _write_json(rows)
    elif not rows:
        Console().print(empty)
    else:
        table = Table(title=title, title_justify="left", header_style="bold")
        for column in rows[0]:
            table.add_column(column.replace("_", " "), overflow="fold")
        for row in rows:
            table.add_row(*(_cell(value) for value in row.values()))
        Console().print(table)


def show_one(row: Row, *, as_json: bool) -> None:
    """Write one thing's facts, a line each; as JSON, an object."""
    if as_json:
        _write_json(row)
        return
    grid = Table.grid(padding=(0, 2))
    for name, value in row.items():
        grid.add_row(f"[bold]{name.replace('_', ' ')}[/bold]", _cell(value))
    Console().print(grid)


def say(text: str, row: Row, *, as_json: bool) -> None:
    """Write what was done: *text* for people, *row* as JSON."""
    if as_json:
        _write_json(row)
    else:
        Console().print(text)


def fail(text: str) -> NoReturn:
    """Tell why nothing was done, and end with status 1."""
    Console(stderr=True).print(f"[red]error[/red] {text}", highlight=False)
    raise typer.Exit(1)


@contextmanager
def told() -> Iterator[None]:
    """Tell what AWS or the stack refused in a line, without a traceback."""
    try:
        yield
    except StackMissing as error:
        fail(str(error))
    except ClientError as error:
        fail(f"{error.operation_name}: {error.response['Error']['Message']}")
    except NoRegionError:
        fail(NO_REGION)
    except BotoCoreError as error:
        fail(str(error))


def when(moment: datetime | None) -> str:
    """A moment for people, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if moment else ""


def _cell(value: Any) -> str:
    match value:
        case Shown(value=inner, style=style):
            return f"[{style}]{_cell(inner)}[/{style}]"
        case None:
            return ""
        case datetime():
            return when(value)
        case list() | tuple():
            return "\n".join(_cell(entry) for entry in value)
        case dict():
            return ", ".join(f"{name}: {_cell(entry)}" for name, entry in value.items())
    return str(value).replace("[", r"\[")


def _write_json(value: object) -> None:
    json.dump(value, sys.stdout, default=_plain, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def _plain(value: object) -> object:
    match value:
        case Shown(value=inner):
            return inner
        case datetime() | date():
            return value.isoformat()
        case set() | frozenset():
            return sorted(value)
    raise TypeError(f"JSON has no type for {type(value).__name__}")
