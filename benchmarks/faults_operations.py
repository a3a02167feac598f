"""`python -m benchmarks.faults_operations`: faults of AWS, of operators and of clocks, one after the other.

Each gets a tenant of its own on one stack, with one webhook, and events while it lasts: deliveries, bounces and
complaints in turn. Then everything must arrive, and bounces and complaints must have been counted once. Beside it stand
`benchmarks.faults` (webhooks that fail, delivery killed, a table that throttles) and `benchmarks.faults_reputation`
(crashes between any two writes).
"""

import json
import os
import random
import signal
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks import workload
from benchmarks.faults import PERIODS, VISIBILITY
from benchmarks.report import Table, show
from local.clients import Clients
from local.counters import counters
from local.osb import Broker
from local.publishing import as_new, told_of
from local.receiver import Received, Receiver
from local.stack import LocalStack

PACE = 20.0  # events a second
PATIENCE = 120.0  # s after the last event until everything must have arrived
CLOCK = timedelta(minutes=10)
NOWHERE = "http://127.0.0.1:9"  # the port of `discard`, where nothing listens
POISON = ("not json", "{}", '{"eventType": "Bounce"}', '{"Type": "Notification", "Message": "\\u0000"}', "[" * 3_000)
console = Console(highlight=False)


@dataclass(kw_only=True)
class Scene:
    """A fault's tenant on the running stack, and what was published for it."""

    stack: LocalStack
    facts: Mapping[str, Any]
    clients: Clients
    receiver: Receiver
    instance_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    offset: timedelta = timedelta()
    twice: bool = False
    published: set[str] = field(default_factory=set)

    @property
    def path(self) -> str:
        """The tenant's webhook at the receiver."""
        return f"/{self.instance_id}"

    def publish(self, count: int) -> None:
        """Publish *count* events, a delivery, a bounce and a complaint in turn, at PACE."""
        samples = list(workload.samples())
        began = time.monotonic()
        for number in range(count):
            time.sleep(max(0.0, began + number / PACE - time.monotonic()))
            event = told_of(samples[len(self.published) % len(samples)], self.instance_id)
            text = as_new(event, now=datetime.now(UTC) + self.offset, region=self.facts["region"])
            self.published.add(json.loads(text)["mail"]["messageId"])
            for _ in range(2 if self.twice else 1):
                self.put("events", text)

    def put(self, queue: str, body: str) -> None:
        """Put a message into a queue, as SNS would."""
        self.clients.client("sqs").send_message(QueueUrl=self.facts["queues"][queue], MessageBody=body)

    def arrived(self) -> dict[str, set[str]]:
        """The webhook-ids under which each published message's event arrived."""
        found: dict[str, set[str]] = {}
        for received in self.receiver.received(self.path):
            message_id = received.event["data"].get("message_id")
            if message_id in self.published:
                found.setdefault(message_id, set()).add(received.id)
        return found

    @contextmanager
    def environment(self, function: str, **variables: str) -> Iterator[None]:
        """Give a function other environment variables for a while; its processes start anew, twice."""
        functions, name = self.clients.client("lambda"), self.facts["functions"][function]
        before = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": {**before, **variables}})
        try:
            yield
        finally:
            functions.update_function_configuration(FunctionName=name, Environment={"Variables": before})


Fault = Callable[[Scene, int], None]


def _silently(_step: str, _done: float) -> None:
    """A deploy's steps are of no interest here."""


def nothing(scene: Scene, count: int) -> None:
    """Undisturbed."""
    scene.publish(count)


def redelivered(scene: Scene, count: int) -> None:
    """The events queue gives out every message twice."""
    scene.twice = True
    scene.publish(count)


def poisoned(scene: Scene, count: int) -> None:
    """Rubbish in both queues, between the events."""
    for start in range(0, count, 10):
        for queue in ("events", "deliveries"):
            scene.put(queue, POISON[start // 10 % len(POISON)])
        scene.publish(min(10, count - start))


def feedback_killed(scene: Scene, count: int) -> None:
    """Feedback's processes killed again and again."""
    chance, mark = random.Random(7), uuid.uuid4().hex
    with scene.environment("feedback", BENCHMARK_MARK=mark):
        for start in range(0, count, 10):
            scene.publish(min(10, count - start))
            if running := _processes(f"BENCHMARK_MARK={mark}".encode()):
                os.kill(chance.choice(running), signal.SIGKILL)


def _processes(mark: bytes) -> list[int]:
    """The processes that were given *mark* in their environment: those of our function, and no others."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if mark in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found


def kms_refused(scene: Scene, count: int) -> None:
    """KMS cannot be reached by delivery while events come."""
    with scene.environment("delivery", AWS_ENDPOINT_URL_KMS=NOWHERE):
        scene.publish(count)


def tables_gone(scene: Scene, count: int) -> None:
    """DynamoDB cannot be reached by feedback while events come."""
    with scene.environment("feedback", AWS_ENDPOINT_URL_DYNAMODB=NOWHERE):
        scene.publish(count)


def receiver_late(scene: Scene, count: int) -> None:
    """The receiver's clock is 10 minutes ahead: it takes every signature for too old, until it is set right."""
    scene.receiver.answer(_refuse_what_seems_old, path=scene.path)
    scene.publish(count)
    scene.receiver.answer(204, path=scene.path)


def _refuse_what_seems_old(received: Received) -> int:
    signed = datetime.fromtimestamp(int(received.headers["webhook-timestamp"]), UTC)
    return 400 if datetime.now(UTC) + CLOCK - signed > CLOCK / 2 else 204


def events_early(scene: Scene, count: int) -> None:
    """SES's clock is 10 minutes ahead of ours."""
    scene.offset = CLOCK
    scene.publish(count)


def events_late(scene: Scene, count: int) -> None:
    """SES's clock is 10 minutes behind ours."""
    scene.offset = -CLOCK
    scene.publish(count)


def deployed(scene: Scene, count: int) -> None:
    """A deploy that changes both functions, in the middle of traffic."""
    scene.publish(count // 3)
    scene.stack.up(
        lambda *_: None, context={**PERIODS, "attempt_seconds": "4", "feedback_batch_size": "15"}, environment={}
    )
    scene.publish(count - count // 3)


FAULTS: dict[str, Fault] = {
    "none": nothing,
    "the queue gives every message twice": redelivered,
    "poison messages in both queues": poisoned,
    "feedback killed at random": feedback_killed,
    "KMS refuses": kms_refused,
    "DynamoDB refuses feedback": tables_gone,
    "the receiver's clock 10 min ahead": receiver_late,
    "SES's clock 10 min ahead": events_early,
    "SES's clock 10 min behind": events_late,
    "a deploy in the middle of traffic": deployed,
}


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
            facts = stack.up(_silently, context=PERIODS, environment={})
            clients = Clients(facts["aws_endpoint_url"], facts["region"])
            for queue in ("events", "deliveries"):
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
