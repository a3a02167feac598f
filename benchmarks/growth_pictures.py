"""The pictures of docs/scaling.md, drawn from the simulated growth."""

from collections.abc import Callable
from pathlib import Path

from benchmarks.chart import Axis, Line, chart
from benchmarks.growth_model import (
    PARTITION_WRITES,
    TENANTS,
    Load,
    age_in_burst,
    delivery_environments,
    feedback_environments,
    named,
    partition_writes,
)
from benchmarks.pipeline import DEPLOYED, UnitCosts

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
RATES = (10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000)  # events a second
CONTROL_CALLS = 4  # of SES to provision a tenant: set, destination, identity, MAIL FROM


def draw(costs: UnitCosts) -> None:
    """Write the pictures."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name, picture in (
        ("concurrency", _concurrency(costs)),
        ("writes", _writes()),
        ("age", _age(costs)),
        ("provisioning", _provisioning()),
    ):
        (PICTURES / f"{name}.svg").write_text(picture)


_RATE = Axis(title="events a second, all tenants", low=10, high=20_000, log=True)


def _over_rates(of: Callable[[Load], float], tenants: int) -> list[tuple[float, float]]:
    return [(rate, of(Load(tenants=tenants, rate=rate))) for rate in RATES]


def _concurrency(costs: UnitCosts) -> str:
    def feedback(load: Load) -> float:
        return feedback_environments(load, costs)

    def delivery(load: Load) -> float:
        return delivery_environments(load, costs)

    return chart(
        "Lambda environments that are busy",
        _RATE,
        Axis(title="environments", low=0.01, high=1_000, log=True),
        [
            Line(name="feedback, 10,000 tenants", points=_over_rates(feedback, 10_000)),
            Line(name="delivery", points=_over_rates(delivery, 10_000)),
            Line(name="feedback, 1 tenant", points=_over_rates(feedback, 1)),
            _flat("feedback_concurrency", DEPLOYED.feedback_concurrency),
            _flat("delivery_concurrency", DEPLOYED.delivery_concurrency),
        ],
    )


def _flat(name: str, height: float) -> Line:
    return Line(name=name, points=[(_RATE.low, height), (_RATE.high, height)], dashed=True)


def _writes() -> str:
    return chart(
        "Writes in the busiest tenant's partition",
        _RATE,
        Axis(title="write units a second", low=0.1, high=10_000, log=True),
        [
            *(Line(name=named(tenants), points=_over_rates(partition_writes, tenants)) for tenants in TENANTS),
            _flat("a partition's limit", PARTITION_WRITES),
        ],
    )


def _age(costs: UnitCosts) -> str:
    lines = [
        Line(name=f"{rate:,} events/s", points=age_in_burst(Load(tenants=10_000, rate=rate), costs))
        for rate in (50, 100, 200)
    ]
    return chart(
        "Age of the oldest event, with five minutes of ten times the average",
        Axis(title="minutes", low=0, high=60),
        Axis(title="seconds", low=0, high=_round_up(max(age for line in lines for _, age in line.points))),
        lines,
    )


def _round_up(seconds: float) -> float:
    """The next number above that five steps divide well."""
    return next(high for high in (50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 10**6) if high >= seconds)


def _provisioning() -> str:
    calls = DEPLOYED.ses_calls_per_second
    tenants = (10, 100, 1_000, 10_000)
    return chart(
        "Hours that SES's control plane takes, at its one call a second",
        Axis(title="tenants", low=10, high=10_000, log=True),
        Axis(title="hours", low=0.001, high=100, log=True),
        [
            Line(name="to provision them all", points=[(n, n * CONTROL_CALLS / calls / 3600) for n in tenants]),
            Line(name="to compare them, daily", points=[(n, n / calls / 3600) for n in tenants]),
            Line(name="a day", points=[(10, 24), (10_000, 24)], dashed=True),
        ],
    )
