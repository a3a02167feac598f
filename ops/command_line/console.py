"""How operators' commands answer: plain tables for people, JSON with --json, errors in one line and exit status 1."""

import json
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Annotated, NoReturn, TextIO, TypeVar

import typer
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError

from lambdas.domain.schema import NewerSchema
from ops.command_line.tables import Row, Shown, facts, table, when
from ops.deployment.stack import DEFAULT_NAME, NO_REGION, StackMissing

__all__ = [
    "STACK",
    "Json",
    "Row",
    "Shown",
    "StackName",
    "clear_errors",
    "examples",
    "fail",
    "note",
    "say",
    "show",
    "show_one",
    "when",
]

T = TypeVar("T")
Json = Annotated[bool, typer.Option("--json", help="Write JSON instead of a table.")]
StackName = Annotated[
    str, typer.Option("--stack", envvar="SES_FEEDBACK_STACK_NAME", help="CloudFormation stack.", show_default=True)
]
STACK = DEFAULT_NAME


def show(rows: Sequence[Row], *, title: str, empty: str, as_json: bool) -> None:
    """Write *rows*, which have the same keys, as a table, or *empty* if there are none; as JSON, always a list.

    *title* is for people at a terminal: what a pipe reads begins with the column names.
    """
    if as_json:
        _write_json(rows)
    elif not rows:
        typer.echo(empty)
    else:
        terminal = sys.stdout.isatty()
        heading = [title] if title and terminal else []
        lines = table(rows, width=shutil.get_terminal_size().columns if terminal else None, colour=has_colour())
        typer.echo("\n".join([*heading, *lines]))


def show_one(row: Row, *, as_json: bool) -> None:
    """Write one thing's facts, a line each; as JSON, an object."""
    if as_json:
        _write_json(row)
    else:
        typer.echo("\n".join(facts(row, colour=has_colour())))


def say(text: str, row: Row, *, as_json: bool) -> None:
    """Write what was done: *text* for people, *row* as JSON."""
    if as_json:
        _write_json(row)
    else:
        typer.echo(text)


def note(text: str) -> None:
    """Say on standard error how the command understood what was typed."""
    typer.echo(f"note: {text}", err=True)


def fail(text: str) -> NoReturn:
    """Say on standard error why nothing was done, and end with status 1."""
    mark = typer.style("error", fg="red") if has_colour(sys.stderr) else "error"
    typer.echo(f"{mark}: {text}", err=True)
    raise typer.Exit(1)


def has_colour(stream: TextIO | None = None) -> bool:
    """Whether *stream* (standard output) is a terminal whose user wants colours (https://no-color.org)."""
    return (stream or sys.stdout).isatty() and not os.environ.get("NO_COLOR")


def progress(things: Iterable[T], what: str) -> Iterator[T]:
    """*things*, counted on standard error where that is a terminal: `12 instances`, rewritten at most once a second.

    Nothing is written for work that is done within a second, and nothing into a pipe or a file.
    """
    shown, wide = time.monotonic(), 0
    for number, thing in enumerate(things, start=1):
        yield thing
        if sys.stderr.isatty() and time.monotonic() - shown >= 1:
            shown, text = time.monotonic(), f"{number} {what}"
            wide = max(wide, len(text))
            sys.stderr.write(f"\r{text:<{wide}}")
            sys.stderr.flush()
    if wide:
        sys.stderr.write("\r" + " " * wide + "\r")


@contextmanager
def clear_errors() -> Iterator[None]:
    """Say in one line what AWS or the stack refused, without a traceback."""
    try:
        yield
    except (StackMissing, NewerSchema) as error:
        fail(str(error))
    except ClientError as error:
        fail(f"{error.operation_name}: {error.response['Error']['Message']}")
    except NoRegionError:
        fail(NO_REGION)
    except BotoCoreError as error:
        fail(str(error))


def examples(*commands: str) -> str:
    """The end of a command's `--help`: how it is typed. *commands* are what follows `python -m ops`."""
    lines = [f"  python -m ops {command}" for command in commands]
    return "\n".join(["\b", "Example:" if len(lines) == 1 else "Examples:", *lines])


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
