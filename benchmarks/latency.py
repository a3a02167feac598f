"""From event to webhook on a quiet stack, simulated from measured invocations, and what shorter windows cost when busy.

Lambda gathers a batch of more than ten messages for at least a second. Each of the two stages therefore waits for a
second on a quiet stack; a batch of at most ten may begin at once.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from benchmarks import workload
from benchmarks.cost import AWS_LATENCY, MEMORY, WHOLE_CORE, gb_seconds, prices
from benchmarks.pipeline import DEPLOYED, Posted, Stage, deliver, feed, seed
from benchmarks.report import Report, Table, lower, number
from benchmarks.world import World

RATE = 1.0  # events a second of the whole quiet stack
SECONDS = 3_600
RECEIVER = 0.05  # s
SAMPLES = 20  # invocations with one event, of each stage
TENANTS, EVENTS = 1_000, 4_000  # of the busy stack
SMALL = 10  # messages: the most that Lambda hands over without a window
TARGET_P50, TARGET_P99 = 1.2, 2.5  # s


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Seconds for which each stage gathers."""

    feedback: float
    delivery: float


SETTINGS = {
    "as deployed": Windows(
        feedback=DEPLOYED.feedback_batch_window_seconds, delivery=DEPLOYED.delivery_batch_window_seconds
    ),
    f"delivery_batch_size {SMALL}, window 0": Windows(feedback=DEPLOYED.feedback_batch_window_seconds, delivery=0),
    f"both {SMALL}, windows 0": Windows(feedback=0, delivery=0),
}


def through(arrivals: Iterable[float], window: float, takes: float) -> list[float]:
    """When the events that arrive then leave a stage that gathers for *window* s and *takes* s for a batch."""
    left: list[float] = []
    closes = -1.0
    for arrival in arrivals:
        if arrival > closes:
            closes = arrival + window
        left.append(closes + takes)
    return left


def latencies(windows: Windows, feedback_s: float, delivery_s: float) -> list[float]:
    """Seconds from event to webhook, of events that come by chance at RATE."""
    chance = random.Random(1)
    now, arrivals = 0.0, []
    while now < SECONDS:
        now += chance.expovariate(RATE)
        arrivals.append(now)
    queued = through(arrivals, windows.feedback, feedback_s)
    posted = through(queued, windows.delivery, delivery_s)
    return [end - begin for begin, end in zip(arrivals, posted, strict=True)]


def measure() -> Report:
    """Measure both stages alone and under load, simulate, and compare."""
    with World(100) as world:
        seed(world, TENANTS)
        world.stub("behave", latency=AWS_LATENCY)
        feedback_s, delivery_s = _alone(world)
        fed = feed(
            world,
            list(workload.events(EVENTS, tenants=TENANTS, skewed=True)),
            warming=list(workload.events_in_turn(TENANTS)),
        )
        full, small = (
            deliver(world, fed.messages, latency=RECEIVER, batch=batch, whole=True)
            for batch in (DEPLOYED.delivery_batch_size, SMALL)
        )
    found = {name: latencies(windows, feedback_s, delivery_s) for name, windows in SETTINGS.items()}
    deployed = quantiles(found["as deployed"], n=100)
    return Report(
        name="latency",
        tables=(_quiet(found, feedback_s, delivery_s), _busy({DEPLOYED.delivery_batch_size: full, SMALL: small})),
        figures=(
            lower("event to webhook, quiet stack: 50th percentile", deployed[49], "s", TARGET_P50),
            lower("event to webhook, quiet stack: 99th percentile", deployed[98], "s", TARGET_P99),
        ),
    )


def _alone(world: World) -> tuple[float, float]:
    """Seconds of an invocation with one event, of feedback at its memory and of delivery."""
    events = list(workload.events(SAMPLES, tenants=1))
    fed = feed(world, events, batch=1, warming=events[:1])
    posted = deliver(world, fed.messages, latency=RECEIVER, batch=1)
    return _usual(fed.stage, MEMORY["feedback"]), _usual(posted.stage, MEMORY["delivery"])


def _usual(stage: Stage, memory: int) -> float:
    slower = max(1.0, WHOLE_CORE / memory)
    return median(one.wall_s + one.cpu_s * (slower - 1) for one in stage.invocations)


def _quiet(found: dict[str, list[float]], feedback_s: float, delivery_s: float) -> Table:
    return Table(
        title="From event to webhook on a quiet stack, s",
        columns=("", "50th percentile", "99th", "longest"),
        rows=tuple(
            (name, number(median(seconds)), number(quantiles(seconds, n=100)[98]), number(max(seconds)))
            for name, seconds in found.items()
        ),
        note=(
            f"Simulated: an event a second by chance, {SECONDS / 3600:.0f} hour. Measured: an invocation of feedback "
            f"with one event takes {1000 * feedback_s:.0f} ms, of delivery {1000 * delivery_s:.0f} ms with a receiver "
            f"of {1000 * RECEIVER:.0f} ms. SNS, SQS and Lambda's polling are left out."
        ),
    )


def _busy(by_size: dict[int, Posted]) -> Table:
    price = prices()

    def dollars(stage: Stage) -> float:
        gb_s = gb_seconds(stage, MEMORY["delivery"]) * price.lambda_gb_second_arm64
        return (gb_s + len(stage.invocations) * price.lambda_request_per_million / 1e6) * 1e6 / EVENTS

    def row(size: int, stage: Stage) -> Sequence[str]:
        return (f"{size:,}", number(dollars(stage), "$"), number(EVENTS / stage.wall_s))

    return Table(
        title=f"Delivery under load at {TENANTS:,} tenants, by messages in a batch",
        columns=("messages", "Lambda, $ a million events", "events a second in one environment"),
        rows=tuple(tuple(row(size, posted.stage)) for size, posted in by_size.items()),
        note=f"All {EVENTS:,} events wait at once; receivers answer in {1000 * RECEIVER:.0f} ms.",
    )
