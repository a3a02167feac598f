"""Several events in one POST: POSTs, our CPU and the receiver's for an event, at notification_batch 1, 10 and 100."""

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks import workload
from benchmarks.pipeline import SLOW_DELIVERIES, deliver, feed, seed
from benchmarks.report import Report, Table, higher, number
from benchmarks.world import World
from lambdas.aws.sqs.delivery_queue import decode

TENANTS = 20  # busy ones: about fifty events each in a batch of feedback
EVENTS = 8_000
SIZES = (1, 10, 100)
AT_ONCE = 500  # events of an invocation: all of them are posted before it passes any on to the slow queue


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one delivery took: POSTs, CPU of delivery and of the receiver's process, s."""

    posts: float
    cpu_s: float
    receiver_cpu_s: float


def measure() -> Report:
    """The same events through feedback and delivery, for webhooks that want batches of each size."""
    with World(TENANTS) as world:
        measured = {size: _measured(world, size) for size in SIZES}
    one, ten = measured[1], measured[10]
    return Report(
        name="batches",
        tables=(_table(measured),),
        figures=(
            higher("batches of 10: fewer POSTs", one.posts / ten.posts, target=5),
            higher("batches of 10: less CPU of delivery an event", one.cpu_s / ten.cpu_s, target=2),
            higher("batches of 10: less CPU of the receiver an event", one.receiver_cpu_s / ten.receiver_cpu_s),
        ),
    )


def _measured(world: World, size: int) -> Measured:
    """The better of two rounds: a busy machine makes either only slower."""
    rounds = []
    for _ in range(2):
        seed(world, TENANTS, batch=size)
        fed = feed(world, list(workload.events(EVENTS, tenants=TENANTS)))
        messages = max(1, AT_ONCE * len(fed.messages) // EVENTS)
        posted = deliver(world, fed.messages, latency=0.0, batch=messages)
        made = _deliveries(fed.messages) - _deliveries(world.drain(SLOW_DELIVERIES))
        rounds.append(
            Measured(
                posts=posted.posts / made,
                cpu_s=posted.stage.cpu_s / made,
                receiver_cpu_s=posted.receiver_busy * posted.stage.wall_s / made,
            )
        )
    return min(rounds, key=lambda one: one.cpu_s)


def _deliveries(messages: Iterable[str]) -> int:
    return sum(len(decode(message).deliveries) for message in messages)


def _table(measured: dict[int, Measured]) -> Table:
    rows = [
        (str(size), number(one.posts), number(1e6 * one.cpu_s), number(1e6 * one.receiver_cpu_s))
        for size, one in measured.items()
    ]
    return Table(
        title=f"One event of {TENANTS} busy tenants, by notification_batch",
        columns=("notification_batch", "POSTs", "delivery, CPU µs", "receiver, CPU µs"),
        rows=tuple(rows),
        note="The receiver only takes the request over TLS and answers; checking signatures and handling come on top. "
        "Batches hold what is there together: notification_batch_seconds is 0.",
    )
