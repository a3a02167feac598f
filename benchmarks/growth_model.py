"""How load grows, from the measured costs of an event: environments, writes, queues' age, and the limits of each."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from benchmarks.pipeline import DEPLOYED, UnitCosts

TENANTS = (1, 100, 10_000)
FEEDBACK_SHARE = 512 / 1769  # of a core, by the function's memory
RECEIVER = 0.1  # s a receiver takes to answer
PARTITION_WRITES = 1_000  # units a second: DynamoDB's limit
BOUNCE_WRITES = 0.02 * 2  # units an event: a ledger item in a transaction for each bounce
COUNTER_WRITES = 1 + 2  # units a batch: the deliveries' counter, and the bounces' in a transaction
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


def named(tenants: int) -> str:
    """So many tenants, in words."""
    return f"{tenants:,} tenants" if tenants > 1 else "1 tenant"
