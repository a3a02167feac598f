"""Plain text tables: aligned columns where they fit, else a block per row. An id is never broken over lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import typer

Row = Mapping[str, Any]
_GAP = "  "
_INDENT = "  "


@dataclass(frozen=True, slots=True)
class Shown:
    """A value with a colour (red, yellow, green or bold), for people; JSON gets the value."""

    value: Any
    style: str


def table(rows: Sequence[Row], *, width: int | None, colour: bool = False) -> list[str]:
    """The lines of a table of *rows*, which have the same keys.

    *width* is the terminal's, in characters; None means that there is none, and every row takes one line. A table
    that is too wide becomes a block per row, with as many `name: value` pairs in a line as fit.
    """
    cells = [[_one_line(value) for value in row.values()] for row in rows]
    heads = [_heading(name).upper() for name in rows[0]]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    if width is not None and sum(widths) + len(_GAP) * (len(widths) - 1) > width:
        return [line for row in rows for line in (*_block(row, width, colour=colour), "")][:-1]
    lines = [_aligned(heads, widths)]
    for row, texts in zip(rows, cells, strict=True):
        padded = [text.ljust(size) for text, size in zip(texts, widths, strict=True)]
        styled = [_styled(text, value, colour) for text, value in zip(padded, row.values(), strict=True)]
        lines.append(_GAP.join(styled) if colour else _GAP.join(styled).rstrip())
    return lines


def facts(row: Row, *, colour: bool = False) -> list[str]:
    """The lines of one thing's facts: a fact per line, and a line for each entry of a list."""
    size = max(len(_heading(name)) for name in row)
    lines = []
    for name, value in row.items():
        entries = value if isinstance(value, list | tuple) and value else [value]
        for number, entry in enumerate(entries):
            head = _heading(name) if number == 0 else ""
            lines.append(f"{head.ljust(size)}{_GAP}{_styled(_one_line(entry), entry, colour)}".rstrip())
    return lines


def text_of(value: Any) -> str:
    """A value for people. Moments are in UTC; what a terminal would obey (control characters) is replaced."""
    match value:
        case Shown(value=inner):
            return text_of(inner)
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return when(value)
        case list() | tuple() | set() | frozenset():
            return ", ".join(text_of(entry) for entry in value)
        case dict():
            return ", ".join(f"{name}: {text_of(entry)}" for name, entry in value.items())
    return "".join(character if character.isprintable() or character == "\n" else "�" for character in str(value))


def when(moment: datetime | None) -> str:
    """A moment for people, in UTC: 2026-11-21 04:00:00Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ") if moment else ""


def _block(row: Row, width: int, *, colour: bool) -> list[str]:
    """`name: value` pairs, none broken, as many in a line as fit; empty values are left out."""
    lines: list[str] = []
    used = 0
    for name, value in row.items():
        text = _one_line(value)
        if not text:
            continue
        pair = f"{_heading(name)}: {_styled(text, value, colour)}"
        length = len(_heading(name)) + 2 + len(text)
        if lines and used + len(_GAP) + length <= width:
            lines[-1] += _GAP + pair
            used += len(_GAP) + length
        else:
            indent = _INDENT if lines else ""
            lines.append(indent + pair)
            used = len(indent) + length
    return lines


def _aligned(heads: Sequence[str], widths: Sequence[int]) -> str:
    return _GAP.join(head.ljust(size) for head, size in zip(heads, widths, strict=True)).rstrip()


def _heading(name: str) -> str:
    return name.replace("_", " ")


def _one_line(value: Any) -> str:
    return " ".join(text_of(value).split("\n"))


def _styled(text: str, value: Any, colour: bool) -> str:
    if not colour or not isinstance(value, Shown) or not text.strip():
        return text
    return typer.style(text, bold=True) if value.style == "bold" else typer.style(text, fg=value.style)
