"""Charts, to the last number: each bar, line, dot and label where it belongs."""

import re

import pytest

from lambdas.portal.charts import Point, bars, gauge, sparkline

POINTS = (
    Point(label="20 Nov", title="20 Nov: <1>", deliveries=960, bounces=40, complaints=0),
    Point(label="21 Nov", title="21 Nov", deliveries=0, bounces=0, complaints=0),
    Point(label="22 & 23", title="22 Nov", deliveries=1500, bounces=1000, complaints=2),
)


def lines(svg: str) -> str:
    """An element a line."""
    return str(svg).replace("><", ">\n<")


def test_a_chart_of_days_has_bars_dots_the_rate_and_both_thresholds() -> None:
    """Heights are shares of the fullest day; the rate's axis ends at the highest one; texts are escaped."""
    assert (
        lines(bars(POINTS, warning=0.02, pause=0.04, label='Mails "a day"'))
        == """\
<svg class="chart" viewBox="0 0 720 220" role="img" aria-label="Mails &#34;a day&#34;">
<line class="grid" x1="44" x2="676" y1="192.0" y2="192.0"/>
<text class="axis" x="38" y="196.0" text-anchor="end">0</text>
<text class="axis" x="682" y="196.0">0%</text>
<line class="grid" x1="44" x2="676" y1="102.0" y2="102.0"/>
<text class="axis" x="38" y="106.0" text-anchor="end">1.25k</text>
<text class="axis" x="682" y="106.0">20%</text>
<line class="grid" x1="44" x2="676" y1="12.0" y2="12.0"/>
<text class="axis" x="38" y="16.0" text-anchor="end">2.5k</text>
<text class="axis" x="682" y="16.0">40%</text>
<line class="threshold threshold-warned" x1="44" x2="676" y1="183.0" y2="183.0"/>
<line class="threshold threshold-paused" x1="44" x2="676" y1="174.0" y2="174.0"/>
<g>
<title>20 Nov: &lt;1&gt;</title>
<rect class="deliveries" x="65.1" y="120.0" width="168.5" height="69.1"/>
<rect class="bounces" x="65.1" y="189.1" width="168.5" height="2.9"/>
</g>
<g>
<title>21 Nov</title>
<rect class="deliveries" x="275.7" y="192.0" width="168.5" height="0.0"/>
<rect class="bounces" x="275.7" y="192.0" width="168.5" height="0.0"/>
</g>
<g>
<title>22 Nov</title>
<rect class="deliveries" x="486.4" y="12.0" width="168.5" height="108.0"/>
<rect class="bounces" x="486.4" y="120.0" width="168.5" height="72.0"/>
<circle class="complaints" cx="570.7" cy="7.0" r="3"/>
</g>
<polyline class="rate" points="149.3,174.0 570.7,12.0"/>
<text class="axis" x="149.3" y="212" text-anchor="middle">20 Nov</text>
<text class="axis" x="360.0" y="212" text-anchor="middle">21 Nov</text>
<text class="axis" x="570.7" y="212" text-anchor="middle">22 &amp; 23</text>
</svg>"""
    )


def test_a_chart_without_days_has_its_axes() -> None:
    """The rate's axis ends at one and a half times the pause threshold."""
    assert (
        lines(bars((), warning=0.02, pause=0.04, label="none"))
        == """\
<svg class="chart" viewBox="0 0 720 220" role="img" aria-label="none">
<line class="grid" x1="44" x2="676" y1="192.0" y2="192.0"/>
<text class="axis" x="38" y="196.0" text-anchor="end">0</text>
<text class="axis" x="682" y="196.0">0%</text>
<line class="grid" x1="44" x2="676" y1="102.0" y2="102.0"/>
<text class="axis" x="38" y="106.0" text-anchor="end">0</text>
<text class="axis" x="682" y="106.0">3%</text>
<line class="grid" x1="44" x2="676" y1="12.0" y2="12.0"/>
<text class="axis" x="38" y="16.0" text-anchor="end">1</text>
<text class="axis" x="682" y="16.0">6%</text>
<line class="threshold threshold-warned" x1="44" x2="676" y1="132.0" y2="132.0"/>
<line class="threshold threshold-paused" x1="44" x2="676" y1="72.0" y2="72.0"/>
</svg>"""
    )


@pytest.mark.parametrize(
    ("days", "labelled"),
    [
        (1, [0]),
        (8, [0, 1, 2, 3, 4, 5, 6, 7]),
        (9, [0, 2, 4, 6, 8]),
        (16, [0, 2, 4, 6, 8, 10, 12, 14]),
        (17, [0, 3, 6, 9, 12, 15]),
    ],
)
def test_at_most_eight_days_are_labelled(days: int, labelled: list[int]) -> None:
    """More would run into each other."""
    points = [Point(label=f"day {n}", title="", deliveries=1, bounces=0, complaints=0) for n in range(days)]
    found = re.findall(r">day (\d+)<", bars(points, warning=0.02, pause=0.04, label=""))
    assert [int(number) for number in found] == labelled


@pytest.mark.parametrize(
    ("most", "axis"),
    [
        (1, ["0", "0", "1"]),
        (999, ["0", "500", "999"]),
        (1_000, ["0", "500", "1k"]),
        (12_345, ["0", "6.17k", "12.3k"]),
        (1_000_000, ["0", "500k", "1M"]),
        (12_345_678, ["0", "6.17M", "12.3M"]),
    ],
)
def test_the_axis_counts_in_thousands_and_millions(most: int, axis: list[str]) -> None:
    """To three digits."""
    point = Point(label="", title="", deliveries=most, bounces=0, complaints=0)
    found = re.findall(r'text-anchor="end">([^<]+)<', bars([point], warning=0.02, pause=0.04, label=""))
    assert found == axis


@pytest.mark.parametrize(
    ("rate", "level", "width", "warned", "paused"),
    [
        (0.0, "healthy", "0.0", "120.0", "240.0"),
        (0.0199, "healthy", "119.4", "120.0", "240.0"),
        (0.02, "warned", "120.0", "120.0", "240.0"),
        (0.0399, "warned", "239.4", "120.0", "240.0"),
        (0.04, "paused", "240.0", "120.0", "240.0"),
        (0.08, "paused", "300.0", "75.0", "150.0"),
    ],
)
def test_a_gauge_fills_towards_the_pause_threshold(
    rate: float, level: str, width: str, warned: str, paused: str
) -> None:
    """A rate beyond its end makes it longer."""
    assert lines(gauge(rate, warning=0.02, pause=0.04, label="<b>")).splitlines() == [
        '<svg class="gauge" viewBox="0 0 300 24" role="img" aria-label="&lt;b&gt;">',
        '<rect class="track" x="0" y="6" width="300" height="12" rx="6"/>',
        f'<rect class="level level-{level}" x="0" y="6" width="{width}" height="12" rx="6"/>',
        f'<line class="tick tick-warned" x1="{warned}" x2="{warned}" y1="2" y2="22"/>',
        f'<line class="tick tick-paused" x1="{paused}" x2="{paused}" y1="2" y2="22"/>',
        "</svg>",
    ]


@pytest.mark.parametrize(
    ("rates", "threshold", "points"),
    [
        ([0.0, 0.01, 0.06], "8.7", "0.0,22.0 50.0,18.7 100.0,2.0"),
        ([0.01, 0.04], "6.0", "0.0,18.0 100.0,6.0"),
        ([0.01], "6.0", "0.0,18.0"),
        ([], "6.0", ""),
    ],
)
def test_a_sparkline_goes_from_the_oldest_rate_to_the_latest(rates: list[float], threshold: str, points: str) -> None:
    """The threshold is inside it."""
    assert lines(sparkline(rates, pause=0.04, label="<b>")).splitlines() == [
        '<svg class="spark" viewBox="0 0 100 24" role="img" aria-label="&lt;b&gt;">',
        f'<line class="threshold threshold-paused" x1="0" x2="100" y1="{threshold}" y2="{threshold}"/>',
        f'<polyline class="rate" points="{points}"/>',
        "</svg>",
    ]


def test_an_outcome_is_a_delivery_or_a_bounce_and_the_rate_its_share() -> None:
    """Complaints are of mails that were delivered."""
    assert [(point.outcomes, point.rate) for point in POINTS] == [(1000, 0.04), (0, 0.0), (2500, 0.4)]
