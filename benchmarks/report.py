"""What a measurement has to say: tables for people, and ratios that can be held against a target and the last run."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from rich.console import Console
from rich.table import Table as RichTable


class Better(StrEnum):
    """Which way a figure should go."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A ratio or a count that holds on any machine. `target` is a bound: a lower one where HIGHER is better."""

    name: str
    value: float
    unit: str
    better: Better
    target: float | None = None

    @property
    def met(self) -> bool:
        """Whether the target is met; no target is always met."""
        if self.target is None:
            return True
        return self.value >= self.target if self.better is Better.HIGHER else self.value <= self.target

    def row(self) -> tuple[str, str, str, str]:
        """As a row of a table: name, value, target, verdict."""
        if self.target is None:
            return (self.name, number(self.value, self.unit), "", "")
        sign = "≥" if self.better is Better.HIGHER else "≤"
        return (
            self.name,
            number(self.value, self.unit),
            f"{sign} {number(self.target, self.unit)}",
            "met" if self.met else "MISSED",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under a title; *note* says what a reader must know to judge them."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All of one measurement."""

    name: str
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()


def higher(name: str, value: float, unit: str = "x", target: float | None = None) -> Figure:
    """A figure that should be high."""
    return Figure(name=name, value=value, unit=unit, better=Better.HIGHER, target=target)


def lower(name: str, value: float, unit: str = "x", target: float | None = None) -> Figure:
    """A figure that should be low."""
    return Figure(name=name, value=value, unit=unit, better=Better.LOWER, target=target)


def number(value: float, unit: str = "") -> str:
    """*value* with as many digits as one can use."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 0.1 else 4
    text = f"{value:,.{digits}f}"
    if unit == "$":
        return f"${text}"
    return f"{text} {unit}".strip()


def figures_table(reports: Iterable[Report]) -> Table:
    """Every figure of *reports* against its target."""
    rows = tuple(figure.row() for report in reports for figure in report.figures)
    return Table(title="Figures and targets", columns=("figure", "value", "target", ""), rows=rows)


def show(tables: Sequence[Table], console: Console) -> None:
    """Print the tables."""
    for table in tables:
        rich = RichTable(title=table.title, title_justify="left", caption=table.note or None, caption_justify="left")
        for position, column in enumerate(table.columns):
            rich.add_column(column, justify="left" if position == 0 else "right", overflow="fold")
        for row in table.rows:
            rich.add_row(*row)
        console.print(rich)


def as_markdown(table: Table) -> str:
    """The table for a document."""
    lines = [f"### {table.title}", "", _line(table.columns)]
    lines.append("|---|" + "---:|" * (len(table.columns) - 1))
    lines.extend(map(_line, table.rows))
    if table.note:
        lines += ["", table.note]
    return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
