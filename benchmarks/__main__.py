"""`python -m benchmarks` (`make bench`): run every measurement, print its tables, keep the journal."""

import importlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks import journal
from benchmarks.report import Report, figures_table, show

MEASUREMENTS = (
    "transport",
    "coldstart",
    "cost",
    "writes",
    "noisy",
    "growth",
    "batches",
    "latency",
    "portal",
    "throughput",
)  # the longest last


def main(
    only: Annotated[list[str] | None, typer.Option(help="Only this one; may be said several times.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON instead of tables.")] = False,
    keep: Annotated[bool | None, typer.Option(help="Write the journal; by default a full run does.")] = None,
) -> None:
    """Measure side by side, tell what misses its target or slipped by over 20 % since the last entry."""
    names = only or list(MEASUREMENTS)
    if unknown := sorted(set(names) - set(MEASUREMENTS)):
        raise typer.BadParameter(f"{', '.join(unknown)}: there are {', '.join(MEASUREMENTS)}", param_hint="--only")
    console = Console(highlight=False, stderr=as_json)
    reports = [_measured(name, console, quiet=as_json) for name in names]
    text = journal.JOURNAL.read_text() if journal.JOURNAL.exists() else ""
    slips = journal.slips(reports, text)
    if as_json:
        json.dump(_as_json(reports, slips), sys.stdout, indent=2)
    else:
        _conclude(reports, slips, console)
    if keep if keep is not None else not only:
        journal.JOURNAL.write_text(journal.written(reports, text, now=datetime.now(UTC)))
        console.print(f"Written: {journal.JOURNAL.name}")


def _measured(name: str, console: Console, *, quiet: bool) -> Report:
    with _timed(name, console):
        report: Report = importlib.import_module(f"benchmarks.{name}").measure()
    if not quiet:
        show(report.tables, console)
    return report


@contextmanager
def _timed(name: str, console: Console) -> Iterator[None]:
    began = time.monotonic()
    console.print(f"[dim]{name} ...[/dim]")
    yield
    console.print(f"[dim]{name} took {time.monotonic() - began:.0f} s[/dim]")


def _conclude(reports: Sequence[Report], slips: Sequence[journal.Slip], console: Console) -> None:
    show([figures_table(reports)], console)
    missed = [figure.name for report in reports for figure in report.figures if not figure.met]
    if missed:
        console.print(f"[yellow]{len(missed)} of the targets missed:[/yellow] {'; '.join(missed)}")
    for slip in slips:
        console.print(f"[red]worse than the last entry by {slip.factor:.1f}x:[/red] {slip.name}")
    if not slips:
        console.print("Nothing is worse than the last entry by more than 20 %.")


def _as_json(reports: Sequence[Report], slips: Sequence[journal.Slip]) -> dict[str, Any]:
    return {
        "machine": journal.machine(),
        "figures": [
            {
                "name": figure.name,
                "value": figure.value,
                "unit": figure.unit,
                "target": figure.target,
                "met": figure.met,
            }
            for report in reports
            for figure in report.figures
        ],
        "worse": [{"name": slip.name, "before": slip.before, "now": slip.now} for slip in slips],
    }


if __name__ == "__main__":
    typer.run(main)
