"""Events a second and CPU of feedback and delivery, beside the handler a user would write first."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks import baseline, workload
from benchmarks.pipeline import EVENTS, Fed, Stage, deliver, feed, seed, stage_of
from benchmarks.report import Figure, Report, Table, higher, number
from benchmarks.world import World

RECEIVERS = 500
ONE_IN = 10  # receivers that take the request and never answer, where some hang
OURS = 4_000  # events: enough that the first connections to 500 receivers do not decide
OURS_LEARNING = 12_000  # events: as long as it takes (30 s and more) to learn which receivers hang, and then some
UNTIL = 40.0  # s after which no invocation begins
UNTIL_LEARNED = 110.0  # s, where it is to be learned which receivers hang


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A latency, s, and whether receivers hang; events for either side, and how many times the baseline is wanted."""

    latency: float
    hanging: bool
    ours: int
    theirs: int
    wanted: float | None = None

    @property
    def name(self) -> str:
        """As the tables say it."""
        return f"{1000 * self.latency:.0f} ms" + (f", 1 in {ONE_IN} hangs" if self.hanging else "")


SCENES = (
    Scene(latency=0.0, hanging=False, ours=OURS, theirs=300, wanted=9),
    Scene(latency=0.05, hanging=False, ours=OURS, theirs=100, wanted=60),
    Scene(latency=0.2, hanging=False, ours=OURS, theirs=30),
    Scene(latency=0.0, hanging=True, ours=OURS, theirs=20),
    Scene(latency=0.05, hanging=True, ours=OURS_LEARNING, theirs=20, wanted=100),
    Scene(latency=0.2, hanging=True, ours=OURS, theirs=20),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a scene: events delivered a second, CPU of one, the longest invocation, how busy receivers were."""

    per_s: float
    cpu_s: float
    longest_s: float
    receiver_busy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A scene's sides; `ours` is delivery alone, `feedback` comes on top."""

    scene: Scene
    feedback: Side
    ours: Side
    theirs: Side

    @property
    def per_s(self) -> float:
        """Events a second that go through feedback and delivery, one environment in all."""
        return 1 / (1 / self.feedback.per_s + 1 / self.ours.per_s)

    @property
    def cpu_s(self) -> float:
        """CPU of an event in feedback and delivery."""
        return self.feedback.cpu_s + self.ours.cpu_s


def measure() -> Report:
    """Run every scene, both sides in turn."""
    with World(RECEIVERS) as world:
        seed(world, RECEIVERS)
        fed = feed(world, list(workload.events(max(scene.ours for scene in SCENES), tenants=RECEIVERS)))
        compared = [_compare(world, scene, fed) for scene in SCENES]
    return Report(
        name="throughput",
        tables=(_table(compared),),
        figures=tuple(figure for one in compared for figure in _figures(one)),
    )


def _compare(world: World, scene: Scene, fed: Fed) -> Compared:
    """Both sides in turn, the quick scenes twice: the better counts, for a busy machine makes either only slower."""
    rounds = range(1 if scene.hanging else 2)
    sides = [(_theirs(world, scene), _ours(world, scene, fed)) for _ in rounds]
    theirs, ours = (max(side, key=lambda one: one.per_s) for side in zip(*sides, strict=True))
    return Compared(scene=scene, feedback=_side(fed.stage, OURS_LEARNING), ours=ours, theirs=theirs)


def _ours(world: World, scene: Scene, fed: Fed) -> Side:
    """Delivery of what feedback made, every webhook's health unknown at first."""
    seed(world, RECEIVERS)
    messages = fed.messages[: scene.ours * len(fed.messages) // OURS_LEARNING]
    hanging = ONE_IN if scene.hanging else 0
    posted = deliver(
        world,
        messages,
        latency=scene.latency,
        hanging=hanging,
        seconds=UNTIL_LEARNED if scene.ours == OURS_LEARNING else UNTIL,
    )
    return _side(posted.stage, posted.delivered, posted.receiver_busy)


def _theirs(world: World, scene: Scene) -> Side:
    """The baseline, each tenant its own receiver."""
    webhooks = {f"ses-feedback-{workload.tenant(number)}": url for number, url in enumerate(world.urls)}
    settings = {"BASELINE_WEBHOOKS": json.dumps(webhooks), "REPUTATION_TABLE": "reputation"}
    world.stub("reset")
    world.stub("fill", queue=EVENTS, bodies=list(workload.events_in_turn(scene.theirs)))
    world.behave(latency=scene.latency, hanging=ONE_IN if scene.hanging else 0)
    stage = stage_of(world, "benchmarks.baseline.handler", [EVENTS], baseline.BATCH, settings)
    received = world.received()
    return _side(stage, received["distinct"], received["cpu_s"] / stage.wall_s)


def _side(stage: Stage, delivered: int, receiver_busy: float = 0.0) -> Side:
    return Side(
        per_s=delivered / stage.wall_s,
        cpu_s=stage.cpu_s / delivered,
        longest_s=max(invocation.wall_s for invocation in stage.invocations),
        receiver_busy=receiver_busy,
    )


def _figures(one: Compared) -> tuple[Figure, ...]:
    name = f"throughput, {one.scene.name}"
    return (
        higher(
            f"{name}: events a second, delivery / baseline", one.ours.per_s / one.theirs.per_s, target=one.scene.wanted
        ),
        higher(f"{name}: events a second, feedback and delivery in turn / baseline", one.per_s / one.theirs.per_s),
        higher(f"{name}: CPU of an event, baseline / feedback and delivery", one.theirs.cpu_s / one.cpu_s),
    )


def _table(compared: Sequence[Compared]) -> Table:
    rows = [row for one in compared for row in _rows(one)]
    return Table(
        title=f"Events through one environment, {RECEIVERS} receivers over TLS, one a tenant",
        columns=("receivers answer in", "who", "events/s", "CPU µs an event", "longest run, s", "receivers busy"),
        rows=tuple(rows),
        note=(
            "The baseline posts and counts; delivery posts, signs, learns which receivers hang and keeps copies for "
            "replay; feedback reads, attributes, counts and renders before it, in turn in the same environment here, "
            "side by side in life. Events are spread evenly over the tenants, which is the dearest way. The baseline "
            "gives a receiver 5 s, ours 15. AWS is a stub that answers at once, receivers are one process of ours; "
            "the CPU of neither is counted."
        ),
    )


def _rows(one: Compared) -> list[tuple[str, ...]]:
    def row(who: str, per_s: float, cpu_s: float, side: Side) -> tuple[str, ...]:
        busy = f"{100 * side.receiver_busy:.0f} %"
        return (one.scene.name, who, number(per_s), number(1e6 * cpu_s), number(side.longest_s), busy)

    return [
        row("baseline", one.theirs.per_s, one.theirs.cpu_s, one.theirs),
        row("delivery", one.ours.per_s, one.ours.cpu_s, one.ours),
        row("feedback and delivery", one.per_s, one.cpu_s, one.ours),
    ]
