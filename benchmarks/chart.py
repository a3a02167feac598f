"""Line charts as SVG text, for the documents: no library, the same bytes for the same numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 720, 380
LEFT, RIGHT, TOP, BOTTOM = 70, 205, 44, 52
COLOURS = ("#1f5fa8", "#c8511b", "#2d8a4e", "#7a4fa3", "#8a6d1f")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line through points; *dashed* for a limit."""

    name: str
    points: Sequence[tuple[float, float]]
    dashed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """An axis from *low* to *high*; logarithmic ones have a tick a decade."""

    title: str
    low: float
    high: float
    log: bool = False

    def share(self, value: float) -> float:
        """Where *value* stands between low (0) and high (1), kept inside."""
        value = min(max(value, self.low), self.high)
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """Where the axis is labelled."""
        if self.log:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            return [10.0**power for power in range(first, last + 1)]
        return [self.low + (self.high - self.low) * part / 5 for part in range(6)]


def chart(title: str, x: Axis, y: Axis, lines: Sequence[Line]) -> str:
    """The chart as an SVG document, dark on white."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12" role="img" aria-label="{escape(title)}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="22" font-size="15" font-weight="bold" fill="#222">{escape(title)}</text>',
        *_grid(x, y),
    ]
    for number, line in enumerate(lines):
        parts += _line(line, COLOURS[number % len(COLOURS)], number, x, y)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _across(share: float) -> float:
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _down(share: float) -> float:
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _grid(x: Axis, y: Axis) -> list[str]:
    parts = []
    for tick in x.ticks():
        at = _across(x.share(tick))
        parts.append(f'<line x1="{at:.1f}" y1="{TOP}" x2="{at:.1f}" y2="{HEIGHT - BOTTOM}" stroke="#e3e3e3"/>')
        parts.append(f'<text x="{at:.1f}" y="{HEIGHT - BOTTOM + 17}" text-anchor="middle">{_label(tick)}</text>')
    for tick in y.ticks():
        at = _down(y.share(tick))
        parts.append(f'<line x1="{LEFT}" y1="{at:.1f}" x2="{WIDTH - RIGHT}" y2="{at:.1f}" stroke="#e3e3e3"/>')
        parts.append(f'<text x="{LEFT - 7}" y="{at + 4:.1f}" text-anchor="end">{_label(tick)}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 14}" text-anchor="middle" fill="#444">{escape(x.title)}</text>')
    parts.append(f'<text x="{LEFT - 58}" y="{TOP - 8}" fill="#444">{escape(y.title)}</text>')
    return parts


def _line(line: Line, colour: str, number: int, x: Axis, y: Axis) -> list[str]:
    points = " ".join(f"{_across(x.share(a)):.1f},{_down(y.share(b)):.1f}" for a, b in line.points)
    dash = ' stroke-dasharray="6 4"' if line.dashed else ""
    at, height = WIDTH - RIGHT + 14, TOP + 10 + 22 * number
    return [
        f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.2"{dash}/>',
        f'<line x1="{at}" y1="{height}" x2="{at + 22}" y2="{height}" stroke="{colour}" stroke-width="2.2"{dash}/>',
        f'<text x="{at + 28}" y="{height + 4}" fill="#222">{escape(line.name)}</text>',
    ]


def _label(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 or value == 0 else f"{value:g}"
