"""`python -m tests.faults.operations`: faults of AWS, of operators and of clocks, one after the other.

Each gets a tenant of its own on one stack, with one webhook, and events while it lasts: deliveries, bounces and
complaints in turn. Then everything must arrive, and bounces and complaints must have been counted once. Beside it stand
`tests.faults.pipeline` (webhooks that fail, delivery killed, a table that throttles) and `tests.faults.reputation`
(crashes between any two writes).
"""

import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks.report import Table, show
from local.clients import Clients
from local.counters import counters
from local.stack import LocalStack
from local.tenant.receiver import Receiver
from ops.deployment.osb import Broker
from tests.faults.pipeline import PERIODS, VISIBILITY
from tests.faults.scenes import FAULTS, Scene, silently

PATIENCE = 120.0  # s after the last event until everything must have arrived
console = Console(highlight=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a fault's events. `twice`: bounces and complaints counted too often; `missed`: not at all."""

    fault: str
    events: int
    delivered: int
    twice: int
    missed: int
    renamed: int
    seconds: float

    @property
    def lost(self) -> int:
        """Events that never arrived, or were not counted."""
        return self.events - self.delivered + self.missed

    @property
    def kept(self) -> bool:
        """Whether every promise was."""
        return not (self.lost or self.twice or self.renamed)


def suffer(name: str, scene: Scene, count: int) -> Outcome:
    """Let a fault happen, then wait until all is well or patience ends."""
    began = time.monotonic()
    FAULTS[name](scene, count)
    deadline = time.monotonic() + PATIENCE
    while not (outcome := _outcome(name, scene, count, began)).kept and time.monotonic() < deadline:
        time.sleep(1)
    if outcome.kept:
        time.sleep(1)  # what is counted a second time would come late
        outcome = _outcome(name, scene, count, began)
    return outcome


def _outcome(name: str, scene: Scene, count: int, began: float) -> Outcome:
    arrived = scene.arrived()
    counted = counters(scene.facts, scene.instance_id)
    differences = [counted.get(kind, 0) - len(range(offset, count, 3)) for kind, offset in _COUNTED.items()]
    return Outcome(
        fault=name,
        events=count,
        delivered=len(arrived),
        twice=sum(max(0, difference) for difference in differences),
        missed=sum(max(0, -difference) for difference in differences),
        renamed=sum(len(ids) > 1 for ids in arrived.values()),
        seconds=time.monotonic() - began,
    )


_COUNTED = {"bounces": 1, "complaints": 2}  # which of each three events


def run(names: list[str], count: int) -> list[Outcome]:
    """Bring a stack up, let each fault happen, take the stack down."""
    with TemporaryDirectory(prefix="ses-feedback-faults-") as folder, Receiver() as receiver:
        stack = LocalStack(Path(folder))
        try:
            facts = stack.up(silently, context=PERIODS, environment={})
            clients = Clients(facts["aws_endpoint_url"], facts["region"])
            for queue in ("events", "deliveries", "slow_deliveries"):
                clients.client("sqs").set_queue_attributes(
                    QueueUrl=facts["queues"][queue], Attributes={"VisibilityTimeout": str(VISIBILITY)}
                )
            return [_one(name, count, stack, facts, clients, receiver) for name in names]
        finally:
            stack.down()


def _one(
    name: str, count: int, stack: LocalStack, facts: Mapping[str, Any], clients: Clients, receiver: Receiver
) -> Outcome:
    console.print(f"[dim]{name} ...[/dim]")
    scene = Scene(stack=stack, facts=facts, clients=clients, receiver=receiver)
    with Broker(facts["broker_url"], facts["broker_username"], facts["broker_password"]) as broker:
        broker.provision(scene.instance_id, {"admin_email": "a@shop.example", "enable_feedback_notifications": True})
        broker.bind(scene.instance_id, str(uuid.uuid4()), {"notification_webhook": receiver.url(scene.path)})
    outcome = suffer(name, scene, count)
    console.print(f"[dim]{outcome.delivered} of {outcome.events} after {outcome.seconds:.0f} s[/dim]")
    return outcome


def main(
    events: Annotated[int, typer.Option(help="Events of each fault.")] = 120,
    only: Annotated[list[str] | None, typer.Option(help="Only this fault; may be said several times.")] = None,
) -> None:
    """Print the table of faults; status 1 when anything was lost or counted twice."""
    outcomes = run(only or list(FAULTS), events)
    show([_table(outcomes)], console)
    sys.exit(0 if all(outcome.kept for outcome in outcomes) else 1)


def _table(outcomes: list[Outcome]) -> Table:
    return Table(
        title="Faults, each with events of its own",
        columns=("fault", "events in", "delivered", "lost", "counted twice", "ids changed", "all well after, s"),
        rows=tuple(
            (
                outcome.fault,
                *(str(number) for number in (outcome.events, outcome.delivered, outcome.lost)),
                *(str(number) for number in (outcome.twice, outcome.renamed)),
                f"{outcome.seconds:.0f}",
            )
            for outcome in outcomes
        ),
        note="Lost: never arrived, or a bounce or complaint not counted. Counted twice: bounces and complaints.",
    )


if __name__ == "__main__":
    typer.run(main)
