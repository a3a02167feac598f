"""A noisy neighbour, simulated: one tenant's flood, another's one event a second, with and without message groups.

The embedded AWS has no fair queues, so the queue is modelled by AWS's rules: a message group is noisy while more than
30 of its messages and more than a tenth of all are in flight, and then the others' messages are received first. The
rest is delivery as it is deployed: its environments, its batches and their 6 MB, the concurrency of a webhook, the 3 s
in which a prompt invocation begins attempts, and the CPU of a delivery as measured here. What an invocation does not
begin goes to the slow queue, whose environments are others.
"""

import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import quantiles

from benchmarks.growth_model import FEEDBACK_SHARE
from benchmarks.pipeline import DEPLOYED, unit_costs
from benchmarks.report import Report, Table, higher, lower, number
from lambdas.delivery.concurrency import MOST
from lambdas.delivery.dispatch import PROMPT

FLOODS = (50_000, 100_000)  # events
FLOOD_AT = 20.0  # s
PACKED = 50  # deliveries in a message of the flood
MESSAGE_BYTES = PACKED * 1_500
PAYLOAD = 6_000_000  # bytes that Lambda hands to one run
SECONDS = 180  # that the quiet tenant sends, one event each
SLOW, QUICK = 0.2, 0.05  # s that the flooded and the quiet receiver take
NOISY_MESSAGES, NOISY_SHARE = 30, 0.1  # in flight, from which on a group is noisy


@dataclass(frozen=True, slots=True, order=True)
class Message:
    """A message of the deliveries queue: so many deliveries of one tenant; `at` is when its event came."""

    at: float
    flood: bool
    deliveries: int


@dataclass(slots=True)
class Queue:
    """The deliveries queue. With *groups* it is fair."""

    groups: bool
    waiting: dict[bool, deque[Message]] = field(default_factory=lambda: {False: deque(), True: deque()})
    in_flight: dict[bool, int] = field(default_factory=lambda: {False: 0, True: 0})

    def put(self, message: Message) -> None:
        """Add a message."""
        self.waiting[message.flood].append(message)

    def take(self) -> Message | None:
        """The next message: the oldest, or the quiet tenant's while the other is noisy."""
        quiet, flood = self.waiting[False], self.waiting[True]
        if not quiet and not flood:
            return None
        if quiet and flood:
            taken = quiet if (self.groups and self._noisy()) or quiet[0] <= flood[0] else flood
        else:
            taken = quiet or flood
        message = taken.popleft()
        self.in_flight[message.flood] += 1
        return message

    def done(self, message: Message) -> None:
        """A message was acknowledged."""
        self.in_flight[message.flood] -= 1

    def _noisy(self) -> bool:
        flood = self.in_flight[True]
        return flood > NOISY_MESSAGES and flood > NOISY_SHARE * sum(self.in_flight.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How delivery runs: environments, messages in a batch, s that a batch is waited for, CPU of a delivery, s.

    *intake* is the number of events of one tenant that feedback turns into deliveries in a second.
    """

    environments: int
    batch: int
    window: float
    cpu: float
    intake: float = 8_000.0


def batch_of(queue: Queue, rules: Rules) -> list[Message]:
    """What one run is handed."""
    batch: list[Message] = []
    size = 0
    while len(batch) < rules.batch and size + MESSAGE_BYTES <= PAYLOAD and (message := queue.take()):
        batch.append(message)
        size += message.deliveries * MESSAGE_BYTES // PACKED
    return batch


def run_length(batch: list[Message], rules: Rules) -> float:
    """How long a prompt invocation takes, s."""
    flooded = sum(message.deliveries for message in batch if message.flood)
    paced = max(SLOW / MOST, rules.cpu)  # s a delivery: the receiver's answers, or our CPU
    return max(QUICK, SLOW if flooded else 0.0, min(flooded * paced, PROMPT.beginning.total_seconds() + SLOW))


def simulate(rules: Rules, *, groups: bool, flood: int) -> list[float]:
    """The quiet tenant's latencies from event to webhook, s."""
    queue = Queue(groups=groups)
    arrivals = deque(sorted(_arrivals(flood, rules.intake)))
    free = [0.0] * rules.environments  # when each environment is free
    ends: list[tuple[float, int, list[Message]]] = []
    latencies: list[float] = []
    heapq.heapify(free)
    serial = 0
    now = 0.0
    while arrivals or ends or queue.waiting[False] or queue.waiting[True]:
        now = max(now, heapq.heappop(free))
        now = _advance(now, queue, arrivals, ends)
        if batch := batch_of(queue, rules):
            length = run_length(batch, rules)
            begun = now + (0.0 if sum(message.flood for message in batch) > NOISY_MESSAGES else rules.window)
            latencies += [begun + QUICK - message.at for message in batch if not message.flood]
            serial += 1
            heapq.heappush(ends, (begun + length, serial, batch))
            heapq.heappush(free, begun + length)
        elif arrivals or ends:
            heapq.heappush(free, min(_next(arrivals, ends), now + rules.window) + 1e-3)
    return latencies


def _advance(
    now: float, queue: Queue, arrivals: deque[tuple[float, Message]], ends: list[tuple[float, int, list[Message]]]
) -> float:
    """Let happen what happens until *now*: invocations end, and what is new comes into the queue."""
    while ends and ends[0][0] <= now:
        _, _, batch = heapq.heappop(ends)
        for message in batch:
            queue.done(message)
    while arrivals and arrivals[0][0] <= now:
        queue.put(arrivals.popleft()[1])
    return now


def _next(arrivals: deque[tuple[float, Message]], ends: list[tuple[float, int, list[Message]]]) -> float:
    times = [arrivals[0][0]] if arrivals else []
    return min([*times, *([ends[0][0]] if ends else [])])


def _arrivals(flood: int, intake: float) -> Iterator[tuple[float, Message]]:
    """When each message comes into the deliveries queue: feedback takes events in order, so a flood delays it too."""
    for message in range(flood // PACKED):
        yield FLOOD_AT + (message + 1) * PACKED / intake, Message(FLOOD_AT, True, PACKED)
    for second in range(SECONDS):
        at = float(second) + 0.5
        behind = max(0.0, FLOOD_AT + flood / intake - at) if at >= FLOOD_AT else 0.0
        window = DEPLOYED.feedback_batch_window_seconds
        yield at + max(behind, float(window)), Message(at, False, 1)


def measure() -> Report:
    """Simulate without a flood, and with one with and without message groups."""
    rules = Rules(
        environments=DEPLOYED.delivery_concurrency,
        batch=DEPLOYED.delivery_batch_size,
        window=DEPLOYED.delivery_batch_window_seconds,
        cpu=unit_costs().delivery_cpu_s,
        intake=DEPLOYED.feedback_concurrency * FEEDBACK_SHARE / unit_costs().feedback_event_cpu_s,
    )
    alone = simulate(rules, groups=True, flood=0)
    flooded = {
        flood: tuple(simulate(rules, groups=groups, flood=flood) for groups in (False, True)) for flood in FLOODS
    }
    worst = flooded[FLOODS[-1]]
    return Report(
        name="noisy",
        tables=(_table(alone, flooded),),
        figures=(
            lower(
                f"noisy neighbour, {FLOODS[0]:,} events: quiet 99th percentile, flooded / alone",
                _p(flooded[FLOODS[0]][1], 99) / _p(alone, 99),
            ),
            higher(
                f"noisy neighbour, {FLOODS[-1]:,} events: quiet 99th percentile, without groups / with",
                _p(worst[0], 99) / _p(worst[1], 99),
            ),
        ),
    )


def _table(alone: list[float], flooded: dict[int, tuple[list[float], ...]]) -> Table:
    rows = {"no flood": alone}
    for flood, (unfair, fair) in flooded.items():
        rows[f"{flood:,} events, no message groups"] = unfair
        rows[f"{flood:,} events, a group a webhook"] = fair
    return Table(
        title="A quiet tenant's latency from event to webhook while another floods, s",
        columns=("", "50th percentile", "99th", "longest"),
        rows=tuple(
            (name, number(_p(latencies, 50)), number(_p(latencies, 99)), number(max(latencies)))
            for name, latencies in rows.items()
        ),
        note=(
            f"Simulated over {SECONDS} s. The flooded receiver takes {1000 * SLOW:.0f} ms, the quiet one "
            f"{1000 * QUICK:.0f}; two seconds are the windows in which batches gather. What is left is the wait behind "
            "the flood in the events queue, because SES sets no groups, and the 3 s of a prompt invocation."
        ),
    )


def _p(values: list[float], percent: int) -> float:
    return quantiles(values, n=100)[percent - 1]
