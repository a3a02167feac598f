"""Charts as SVG, made on the server: gauges, bars with a rate, sparklines. Colours are classes of the style sheet."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

_WIDTH, _HEIGHT = 720, 220
_TOP, _BOTTOM, _SIDE = 12, 28, 44  # around the bars: headroom, labels below, axes at both sides
_MOST_LABELS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One bar: what was counted in a time. `label` stands below it, `title` is shown on pointing at it."""

    label: str
    title: str
    deliveries: int
    bounces: int
    complaints: int

    @property
    def outcomes(self) -> int:
        """Mails of which the outcome is known."""
        return self.deliveries + self.bounces

    @property
    def rate(self) -> float:
        """The share that bounced."""
        return self.bounces / self.outcomes if self.outcomes else 0.0


def gauge(rate: float, *, warning: float, pause: float, label: str) -> Markup:
    """A bar that fills towards the pause threshold, with both thresholds marked."""
    full = max(pause * 1.25, rate)
    level = "paused" if rate >= pause else "warned" if rate >= warning else "healthy"
    ticks = "".join(
        f'<line class="tick tick-{name}" x1="{_x(at, full)}" x2="{_x(at, full)}" y1="2" y2="22"/>'
        for name, at in (("warned", warning), ("paused", pause))
    )
    return _svg(
        "gauge",
        (300, 24),
        label,
        '<rect class="track" x="0" y="6" width="300" height="12" rx="6"/>'
        f'<rect class="level level-{level}" x="0" y="6" width="{_x(rate, full)}" height="12" rx="6"/>{ticks}',
    )


def bars(points: Sequence[Point], *, warning: float, pause: float, label: str) -> Markup:
    """Stacked bars of deliveries and bounces, complaints as dots, the bounce rate as a line, thresholds dashed."""
    fullest = max([1, *(point.outcomes for point in points)])
    highest = max([pause * 1.5, *(point.rate for point in points)])
    step = (_WIDTH - 2 * _SIDE) / max(1, len(points))
    parts = [
        *_axes(fullest, highest),
        *_thresholds(highest, warning, pause),
        *(_bar(number, point, step, fullest) for number, point in enumerate(points)),
        _rate_line(points, step, highest),
        *_labels(points, step),
    ]
    return _svg("chart", (_WIDTH, _HEIGHT), label, "".join(parts))


def sparkline(rates: Sequence[float], *, pause: float, label: str) -> Markup:
    """A small line of rates, oldest first, with the pause threshold dashed."""
    highest = max([pause * 1.25, *rates])
    step = 100 / max(1, len(rates) - 1)
    line = " ".join(f"{number * step:.1f},{22 - 20 * rate / highest:.1f}" for number, rate in enumerate(rates))
    mark = 22 - 20 * pause / highest
    return _svg(
        "spark",
        (100, 24),
        label,
        f'<line class="threshold threshold-paused" x1="0" x2="100" y1="{mark:.1f}" y2="{mark:.1f}"/>'
        f'<polyline class="rate" points="{line}"/>',
    )


def _svg(kind: str, size: tuple[int, int], label: str, content: str) -> Markup:
    """*content* holds numbers, words of ours, and texts that were escaped where they were written."""
    opening = f'<svg class="{kind}" viewBox="0 0 {size[0]} {size[1]}" role="img" aria-label="{escape(label)}">'
    return Markup(f"{opening}{content}</svg>")  # noqa: S704


def _x(rate: float, full: float) -> str:
    return f"{300 * rate / full:.1f}"


def _y(share: float) -> float:
    return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - share)


def _axes(fullest: int, highest: float) -> Iterable[str]:
    right = _WIDTH - _SIDE
    for share in (0.0, 0.5, 1.0):
        y = _y(share)
        yield f'<line class="grid" x1="{_SIDE}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="axis" x="{_SIDE - 6}" y="{y + 4:.1f}" text-anchor="end">{_short(share * fullest)}</text>'
        yield f'<text class="axis" x="{right + 6}" y="{y + 4:.1f}">{100 * share * highest:.2g}%</text>'


def _thresholds(highest: float, warning: float, pause: float) -> Iterable[str]:
    for name, rate in (("warned", warning), ("paused", pause)):
        y = _y(rate / highest)
        yield (
            f'<line class="threshold threshold-{name}" x1="{_SIDE}" x2="{_WIDTH - _SIDE}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )


def _bar(number: int, point: Point, step: float, fullest: int) -> str:
    x, width = _SIDE + number * step + step * 0.1, step * 0.8
    top, middle, base = _y(point.outcomes / fullest), _y(point.bounces / fullest), _y(0)
    dot = f'<circle class="complaints" cx="{x + width / 2:.1f}" cy="{top - 5:.1f}" r="3"/>' if point.complaints else ""
    return (
        f"<g><title>{escape(point.title)}</title>"
        f'<rect class="deliveries" x="{x:.1f}" y="{top:.1f}" width="{width:.1f}" height="{middle - top:.1f}"/>'
        f'<rect class="bounces" x="{x:.1f}" y="{middle:.1f}" width="{width:.1f}" height="{base - middle:.1f}"/>'
        f"{dot}</g>"
    )


def _rate_line(points: Sequence[Point], step: float, highest: float) -> str:
    places = " ".join(
        f"{_SIDE + (number + 0.5) * step:.1f},{_y(point.rate / highest):.1f}"
        for number, point in enumerate(points)
        if point.outcomes
    )
    return f'<polyline class="rate" points="{places}"/>' if places else ""


def _labels(points: Sequence[Point], step: float) -> Iterable[str]:
    every = -(-len(points) // _MOST_LABELS)
    for number, point in enumerate(points):
        if number % every == 0:
            x = _SIDE + (number + 0.5) * step
            yield f'<text class="axis" x="{x:.1f}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(point.label)}</text>'


def _short(count: float) -> str:
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if count >= size:
            return f"{count / size:.3g}{letter}"
    return f"{count:.0f}"
