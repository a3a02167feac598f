"""benchmarks/RESULTS.md: what was measured when and where, the latest first, and what got worse since."""

import json
import os
import platform
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from benchmarks.report import Better, Figure, Report, as_markdown, figures_table

JOURNAL = Path(__file__).with_name("RESULTS.md")
SLIP = 1.2  # worse by this factor is worth telling: ratios within a run differ by less from run to run
KEPT = 12  # entries
_TITLE = """# Results

Written by `make bench`, the latest entry first. Ratios and counts are what to compare: they were measured side by side
in one run. Times depend on the machine and on what else it was doing.
"""
_ENTRY = re.compile(r"^## ", re.MULTILINE)
_FIGURES = re.compile(r"<!-- figures (\{.*\}) -->")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slip:
    """A figure that got worse since the last entry that has it."""

    name: str
    before: float
    now: float
    factor: float


def machine() -> str:
    """The machine, in a line."""
    name = f"{platform.python_implementation()} {platform.python_version()} on {platform.system()} {platform.machine()}"
    return f"{name}, {os.cpu_count()} cores"


def slips(reports: Iterable[Report], journal: str) -> list[Slip]:
    """What is worse than in *journal*, by SLIP or more."""
    before = _latest_figures(journal)
    figures = [figure for report in reports for figure in report.figures if before.get(figure.name)]
    found = [_slip(figure, before[figure.name]) for figure in figures]
    return [slip for slip in found if slip.factor > SLIP]


def written(reports: Sequence[Report], journal: str, *, now: datetime) -> str:
    """*journal* with an entry of these *reports* on top."""
    entries = _ENTRY.split(journal)[1:]
    kept = [f"## {entry}" for entry in entries[: KEPT - 1]]
    return "\n".join([_TITLE, _entry(reports, now=now), *kept])


def _entry(reports: Sequence[Report], *, now: datetime) -> str:
    figures = {figure.name: round(figure.value, 6) for report in reports for figure in report.figures}
    tables = [figures_table(reports), *(table for report in reports for table in report.tables)]
    parts = [f"## {now:%Y-%m-%d %H:%M} UTC", machine(), *map(as_markdown, tables)]
    return "\n\n".join([*parts, f"<!-- figures {json.dumps(figures)} -->"]) + "\n"


def _latest_figures(journal: str) -> dict[str, float]:
    """Each figure's latest value: entries stand latest first, so earlier ones must not overwrite."""
    latest: dict[str, float] = {}
    for found in _FIGURES.finditer(journal):
        latest = {**json.loads(found[1]), **latest}
    return latest


def _slip(figure: Figure, before: float) -> Slip:
    worse, better = (before, figure.value) if figure.better is Better.HIGHER else (figure.value, before)
    return Slip(name=figure.name, before=before, now=figure.value, factor=worse / better if better else float("inf"))
