"""Growth, simulated from the measured costs: what is needed at how many events a second, and which limit bites first.

Traffic is uneven, as in practice: the second busiest tenant sends half as much as the busiest, the third a third.
docs/scaling.md shows the table of needs.
"""

from benchmarks.growth_model import (
    TENANTS,
    Limit,
    Load,
    age_in_burst,
    delivery_environments,
    feedback_environments,
    limits,
    named,
    partition_writes,
)
from benchmarks.pipeline import UnitCosts, unit_costs
from benchmarks.report import Report, Table, higher, number

TARGET = 5_000  # events a second at the first limit, with the most tenants


def measure() -> Report:
    """Simulate, and find the first limit."""
    costs = unit_costs()
    by_tenants = {tenants: limits(tenants, costs) for tenants in TENANTS}
    return Report(
        name="growth",
        tables=(_limits(by_tenants), _needs(costs)),
        figures=tuple(
            higher(
                f"growth: events a second at the first limit, {named(tenants)}",
                found[0].rate,
                "events/s",
                TARGET if tenants == TENANTS[-1] else None,
            )
            for tenants, found in by_tenants.items()
        ),
    )


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
