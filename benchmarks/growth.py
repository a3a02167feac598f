"""Growth, simulated from the measured costs: what is needed at how many events a second, and which limit bites first.

Tenants differ as they do in life (the second busiest sends half as much as the busiest, and so on). The pictures go to
docs/pictures, which docs/scaling.md shows.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks.chart import Axis, Line, chart
from benchmarks.pipeline import DEPLOYED, UnitCosts, unit_costs
from benchmarks.report import Report, Table, higher, number

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
TENANTS = (1, 100, 10_000)
RATES = (10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000)  # events a second
FEEDBACK_SHARE = 512 / 1769  # of a core, by the function's memory
RECEIVER = 0.1  # s a receiver takes to answer
PARTITION_WRITES = 1_000  # units a second: DynamoDB's limit
BOUNCE_WRITES = 0.02 * 2  # units an event: a ledger item in a transaction for each bounce
COUNTER_WRITES = 1 + 2  # units a batch: the deliveries' counter, and the bounces' in a transaction
CONTROL_CALLS = 4  # of SES to provision a tenant: set, destination, identity, MAIL FROM
BURST, BURST_FROM, BURST_UNTIL, HOUR = 10, 600, 900, 3_600  # times the average, and when, s


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """So many tenants send so many events a second in all."""

    tenants: int
    rate: float


@cache
def shares(tenants: int) -> tuple[float, ...]:
    """Each tenant's share of all events, the busiest first."""
    weights = [1 / (rank + 1) for rank in range(tenants)]
    total = sum(weights)
    return tuple(weight / total for weight in weights)


def gathered(load: Load) -> float:
    """Events in a batch of feedback: what comes within the window, up to what is taken."""
    window = max(DEPLOYED.feedback_batch_window_seconds, 0.2)
    return max(1.0, min(float(DEPLOYED.feedback_batch_size), load.rate * window))


def tenants_in(load: Load) -> float:
    """Different tenants in a batch, on average."""
    events = gathered(load)
    return sum(1 - math.pow(1 - share, events) for share in shares(load.tenants))


def feedback_s(load: Load, costs: UnitCosts) -> float:
    """Time that feedback takes for an event, s."""
    per_batch = gathered(load) * costs.feedback_event_cpu_s + tenants_in(load) * costs.feedback_tenant_cpu_s
    return per_batch / FEEDBACK_SHARE / gathered(load)


def feedback_environments(load: Load, costs: UnitCosts) -> float:
    """Environments of feedback that are busy."""
    return load.rate * feedback_s(load, costs)


def delivery_environments(load: Load, costs: UnitCosts) -> float:
    """Environments of delivery that are busy: by CPU, for receivers are waited for side by side."""
    return load.rate * costs.delivery_cpu_s + load.rate / DEPLOYED.delivery_batch_size * RECEIVER


def partition_writes(load: Load) -> float:
    """Write units a second in the busiest tenant's partition: its counters with each batch, and its bounces."""
    busiest = shares(load.tenants)[0] * load.rate
    return min(busiest, load.rate / gathered(load)) * COUNTER_WRITES + busiest * BOUNCE_WRITES


def age_in_burst(load: Load, costs: UnitCosts) -> list[tuple[float, float]]:
    """Age of the oldest event in either queue, s, over an hour with five minutes of ten times the average."""
    capacity = min(
        DEPLOYED.feedback_concurrency / feedback_s(Load(tenants=load.tenants, rate=load.rate * BURST), costs),
        DEPLOYED.delivery_concurrency / costs.delivery_cpu_s,
    )
    waiting = 0.0
    ages = []
    for second in range(HOUR):
        rate = load.rate * (BURST if BURST_FROM <= second < BURST_UNTIL else 1)
        waiting = max(0.0, waiting + rate - capacity)
        if second % 20 == 0:
            ages.append((second / 60, waiting / capacity))
    return ages


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A limit: the events a second at which it bites, and what moves it."""

    name: str
    rate: float
    moved_by: str


def limits(tenants: int, costs: UnitCosts) -> list[Limit]:
    """Every limit for so many tenants, the first to bite first."""
    found = [
        Limit(
            name=f"{DEPLOYED.feedback_concurrency} environments of feedback",
            rate=_where(tenants, lambda load: feedback_environments(load, costs), DEPLOYED.feedback_concurrency),
            moved_by="feedback_concurrency",
        ),
        Limit(
            name=f"{DEPLOYED.delivery_concurrency} environments of delivery",
            rate=_where(tenants, lambda load: delivery_environments(load, costs), DEPLOYED.delivery_concurrency),
            moved_by="delivery_concurrency",
        ),
        Limit(
            name="1,000 writes/s in the busiest tenant's counters",
            rate=_where(tenants, partition_writes, PARTITION_WRITES),
            moved_by="feedback_batch_size; DynamoDB also splits a hot partition by itself",
        ),
        Limit(
            name="1,000 environments of the account",
            rate=_where(
                tenants,
                lambda load: feedback_environments(load, costs) + delivery_environments(load, costs),
                1_000,
            ),
            moved_by="a quota of Lambda's, raised on request",
        ),
    ]
    return sorted(found, key=lambda limit: limit.rate)


def _where(tenants: int, needed: Callable[[Load], float], there_are: float) -> float:
    """The events a second at which more is *needed* than *there_are*, by bisection; infinite: never."""
    low, high = 1.0, 1e8
    if needed(Load(tenants=tenants, rate=high)) < there_are:
        return float("inf")
    while high / low > 1.01:
        middle = (low * high) ** 0.5
        low, high = (low, middle) if needed(Load(tenants=tenants, rate=middle)) >= there_are else (middle, high)
    return low


def measure() -> Report:
    """Simulate, draw, and say where the first limit is."""
    costs = unit_costs()
    draw(costs)
    by_tenants = {tenants: limits(tenants, costs) for tenants in TENANTS}
    return Report(
        name="growth",
        tables=(_limits(by_tenants), _needs(costs)),
        figures=tuple(
            higher(f"growth: events a second at the first limit, {_named(tenants)}", found[0].rate, "events/s")
            for tenants, found in by_tenants.items()
        ),
    )


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
            *(Line(name=_named(tenants), points=_over_rates(partition_writes, tenants)) for tenants in TENANTS),
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


def _named(tenants: int) -> str:
    return f"{tenants:,} tenants" if tenants > 1 else "1 tenant"


def _limits(by_tenants: dict[int, list[Limit]]) -> Table:
    return Table(
        title="Where limits bite, the first first",
        columns=("tenants", "limit", "events a second", "moved by"),
        rows=tuple(
            (f"{tenants:,}", limit.name, number(limit.rate), limit.moved_by)
            for tenants, found in by_tenants.items()
            for limit in found
        ),
    )


def _needs(costs: UnitCosts) -> Table:
    def row(tenants: int, rate: int) -> tuple[str, ...]:
        load = Load(tenants=tenants, rate=rate)
        return (
            f"{tenants:,}",
            f"{rate:,}",
            number(feedback_environments(load, costs)),
            number(delivery_environments(load, costs)),
            number(partition_writes(load)),
            number(max(age for _, age in age_in_burst(load, costs))),
        )

    return Table(
        title="What is needed",
        columns=("tenants", "events/s", "feedback", "delivery", "writes/s, busiest tenant", "oldest in a burst, s"),
        rows=tuple(row(tenants, rate) for tenants in TENANTS for rate in (100, 1_000, 20_000)),
        note="feedback and delivery: environments busy on average; a burst is five minutes of ten times the rate.",
    )
