"""Output of the commands."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from local.deploy import Watch


@contextmanager
def deploying(console: Console) -> Iterator[Watch]:
    """A progress bar for `up`; a line per phase if the output is not a terminal.

    Checks the file, not the console: CI systems that set FORCE_COLOR or TTY_COMPATIBLE are not terminals, and
    a bar would fill their logs.
    """
    if not console.file.isatty():
        yield _lines(console)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("starting", total=1.0)
        yield lambda what, share: progress.update(task, description=f"{what:<44}", completed=share)


def outcome_of(event: Mapping[str, Any]) -> str:
    """A summary of an event in a few words."""
    data = event.get("data", {})
    recipients = ", ".join(recipient["email"] for recipient in data.get("recipients", ()))
    bounce = data.get("bounce") or {}
    return f"{recipients} {bounce.get('class', '')}".strip()


def _lines(console: Console) -> Watch:
    last = ""

    def watch(what: str, _share: float) -> None:
        nonlocal last
        step = what.partition(" AWS::")[0]
        if step != last:
            console.print(f"{step} ...", highlight=False)
            last = step

    return watch
