"""`python -m tests.faults.pipeline`: what the pipeline survives, on the embedded AWS, with the stack as it is deployed.

Twenty webhooks of four tenants get 2,000 SES events twice over at the same pace: once undisturbed, once while four of
the webhooks fail, each in its own way, the delivery function's processes are killed at random, and the backlog table
throttles for a while. Then the failing webhooks recover. Every event must arrive at every webhook, with one id for all
its attempts, and healthy webhooks must hardly notice: their 95th percentile stays within twice the undisturbed one.

Periods are shortened by the stack's context, and the queue's visibility (how long a killed run's messages are out of
sight) to seconds: the order of things stays the same.
"""

import json
import os
import random
import signal
import sys
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks import workload
from local.clients import Clients
from local.emulator.publishing import as_new, told_of
from local.showing import deploying
from local.stack import LocalStack
from local.tenant.receiver import Received, Receiver
from ops.deployment.osb import Broker
from tests.faults.throttle import Throttle

TENANTS, WEBHOOKS_EACH = 4, 5
VISIBILITY = 15  # s: longer than any run, so that only a killed run's messages come back
OUTAGE = 20.0  # s that the failing webhooks fail, unless they do so all along
THROTTLED = 6.0  # s that the backlog table throttles
PATIENCE = 240.0  # s after the last event until everything must have arrived
PERIODS = {
    "attempt_seconds": "3",
    "retry_seconds": "1,2,4,8,15,30,60,60,60",
    "probe_seconds": "1,2,4,8",
    "failing_seconds": "2",
    "release_seconds": "2",
    "feedback_batch_size": "20",
    "delivery_batch_size": "10",
}
_MARK = "AWS_ENDPOINT_URL_DYNAMODB"
console = Console(highlight=False)


@dataclass(frozen=True)
class Hook:
    """A webhook: its tenant's instance, its path at its receiver, and how it fails (empty: it does not)."""

    instance_id: str
    path: str
    receiver: Receiver
    fault: str = ""


@dataclass
class Run:
    """What one run saw: when each event was published, when and under which ids it arrived at each webhook."""

    published: dict[str, tuple[str, float]] = field(default_factory=dict)
    latencies: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    ids: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    repeated: int = 0
    lost: int = 0
    killed: int = 0
    refused: int = 0
    dead: int = 0
    seconds: float = 0.0


def main(
    events: Annotated[int, typer.Option(help="SES events of each run.")] = 2_000,
    pace: Annotated[float, typer.Option(help="Events a second.")] = 40.0,
    kills: Annotated[int, typer.Option(help="How often a process of the delivery function is killed.")] = 4,
    without: Annotated[list[str] | None, typer.Option(help="Leave out: webhooks, table or kills.")] = None,
    seed: Annotated[int, typer.Option(help="Of the chance that kills.")] = 7,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON instead of a table.")] = False,
) -> None:
    """Run undisturbed, then with faults; status 1 if anything was lost, or healthy webhooks waited too long."""
    with TemporaryDirectory(prefix="ses-feedback-faults-") as folder:
        stack = LocalStack(Path(folder))
        try:
            with deploying(console) as watch:
                facts = stack.up(watch, context=PERIODS, environment={})
            with Stage(facts, random.Random(seed), kills=kills, without=without or ()) as stage:
                calm = stage.run(events, pace, disturbed=False)
                rough = stage.run(events, pace, disturbed=True)
        finally:
            stack.down()
    ok = report(calm, rough, stage.hooks, as_json=as_json)
    sys.exit(0 if ok else 1)


class Stage:
    """Tenants with their webhooks on a running stack; a context manager."""

    def __init__(
        self,
        facts: Mapping[str, Any],
        chance: random.Random,
        *,
        kills: int,
        without: Sequence[str] = (),
        each: int = WEBHOOKS_EACH,
        visibility: int = VISIBILITY,
    ) -> None:
        self.facts = facts
        self.hooks: list[Hook] = []
        self._chance = chance
        self._kills = kills
        self._without = without
        self._each = each
        self._visibility = visibility
        self._clients = Clients(facts["aws_endpoint_url"], facts["region"])
        self._steady, self._dying = Receiver(), Receiver()
        self._throttle = Throttle(facts["aws_endpoint_url"], facts["tables"]["backlog"])
        self._undo = ExitStack()

    def __enter__(self) -> "Stage":
        with self._undo as undo:
            undo.enter_context(self._steady)
            undo.enter_context(self._dying)
            undo.enter_context(self._throttle)
            self._put_throttle_before_delivery(undo)
            self._shorten_visibility(undo)
            broker = undo.enter_context(
                Broker(self.facts["broker_url"], self.facts["broker_username"], self.facts["broker_password"])
            )
            for number in range(TENANTS):
                self._add_tenant(broker, number)
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def _add_tenant(self, broker: Broker, number: int) -> None:
        """A tenant with some webhooks, one of which will fail in the tenant's own way."""
        fault = ("answers 503", "hangs", "refuses connections", "fails every other time")[number]
        instance_id = str(uuid.uuid4())
        broker.provision(instance_id, {"admin_email": "a@shop.example", "enable_feedback_notifications": True})
        for each in range(self._each):
            failing = fault if each == 0 else ""
            receiver = self._dying if failing == "refuses connections" else self._steady
            hook = Hook(instance_id, f"/tenant-{number}/{each}", receiver, failing)
            broker.bind(instance_id, str(uuid.uuid4()), {"notification_webhook": receiver.url(hook.path)})
            self.hooks.append(hook)

    def _put_throttle_before_delivery(self, undo: ExitStack) -> None:
        functions, name = self._clients.client("lambda"), self.facts["functions"]["delivery"]
        variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]

        def configure(more: Mapping[str, str]) -> None:
            functions.update_function_configuration(FunctionName=name, Environment={"Variables": {**variables, **more}})

        undo.callback(configure, {})
        configure({_MARK: self._throttle.url})

    def _shorten_visibility(self, undo: ExitStack) -> None:
        sqs = self._clients.client("sqs")
        for name in ("deliveries", "slow_deliveries"):
            url = self.facts["queues"][name]
            before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
            undo.callback(sqs.set_queue_attributes, QueueUrl=url, Attributes=before)
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(self._visibility)})

    def run(self, events: int, pace: float, *, disturbed: bool) -> Run:
        """Publish *events*, disturbed or not, and wait until all arrived or patience ends."""
        console.print(
            f"{events} events for {len(self.hooks)} webhooks, {'disturbed' if disturbed else 'undisturbed'} ..."
        )
        run = Run()
        began = time.monotonic()
        with self._disturbances(events / pace, run) if disturbed else _nothing():
            self._publish(run, events, pace)
        self._await(run)
        run.seconds = time.monotonic() - began
        run.dead = self._dead_letters()
        return run

    def _dead_letters(self) -> int:
        """Messages of the deliveries' dead-letter queue."""
        answer = self._clients.client("sqs").get_queue_attributes(
            QueueUrl=self.facts["queues"]["deliveries_dlq"], AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])

    def _publish(self, run: Run, events: int, pace: float) -> None:
        """Publish at a steady pace, tenants in turn."""
        sns, began = self._clients.client("sns"), time.monotonic()
        for number, text in enumerate(workload.events_in_turn(events)):
            time.sleep(max(0.0, began + number / pace - time.monotonic()))
            instance_id = self.hooks[number % TENANTS * self._each].instance_id
            message = as_new(told_of(text, instance_id), now=datetime.now(UTC), region=self.facts["region"])
            run.published[json.loads(message)["mail"]["messageId"]] = (instance_id, time.time())
            sns.publish(TopicArn=self.facts["event_topic_arn"], Message=message)

    def _await(self, run: Run) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            self._count(run)
            if not run.lost or time.monotonic() > deadline:
                return
            time.sleep(1)

    def _count(self, run: Run) -> None:
        """What arrived of what was published, from the receivers' own books."""
        run.latencies.clear()
        run.ids.clear()
        run.repeated = 0
        for hook in self.hooks:
            for received in hook.receiver.received(hook.path):
                self._count_one(run, hook, received)
        wanted = {
            (hook.path, message_id)
            for hook in self.hooks
            for message_id, (instance_id, _) in run.published.items()
            if instance_id == hook.instance_id
        }
        run.lost = len(wanted - run.ids.keys())

    def _count_one(self, run: Run, hook: Hook, received: Received) -> None:
        message_id = received.event["data"].get("message_id")
        if message_id not in run.published:
            return
        key = (hook.path, message_id)
        if key in run.ids:
            run.repeated += 1
        else:
            run.latencies[hook.path].append(received.at.timestamp() - run.published[message_id][1])
        run.ids[key].add(received.id)

    @contextmanager
    def _disturbances(self, seconds: float, run: Run) -> Iterator[None]:
        """Everything that goes wrong while events are published."""
        over = threading.Event()
        faults = {"webhooks": self._fail_webhooks, "table": self._throttle_table, "kills": self._kill_at_random}
        work = [fault for name, fault in faults.items() if name not in self._without]
        threads = [threading.Thread(target=each, args=(seconds, over, run), daemon=True) for each in work]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()

    def _fail_webhooks(self, seconds: float, over: threading.Event, _: Run) -> None:
        """Three are down for a while, one is moody until the last event was published."""
        flip = random.Random(1)
        self._answer("answers 503", 503)
        self._answer("hangs", _hang)
        self._answer("fails every other time", lambda _: 500 if flip.random() < 0.5 else 204)
        self._dying.stop()
        over.wait(min(OUTAGE, seconds * 0.6))
        self._answer("answers 503", 204)
        self._answer("hangs", 204)
        self._dying.start()
        over.wait()
        self._answer("fails every other time", 204)

    def _answer(self, fault: str, how: int | Callable[[Received], int]) -> None:
        for hook in self.hooks:
            if hook.fault == fault:
                hook.receiver.answer(how, path=hook.path)

    def _throttle_table(self, seconds: float, over: threading.Event, run: Run) -> None:
        over.wait(seconds * 0.15)
        self._throttle.on.set()
        over.wait(min(THROTTLED, seconds * 0.2))
        self._throttle.on.clear()
        run.refused = self._throttle.refused

    def _kill_at_random(self, seconds: float, over: threading.Event, run: Run) -> None:
        moments = sorted(self._chance.uniform(0, seconds) for _ in range(self._kills))
        for last, moment in pairwise([0.0, *moments]):
            over.wait(moment - last)
            if processes := delivery_processes(self._throttle.url):
                os.kill(self._chance.choice(processes), signal.SIGKILL)
                run.killed += 1


def delivery_processes(throttle_url: str) -> list[int]:
    """The processes that the delivery function runs in: those, and no others, were told of our throttle."""
    mark = f"{_MARK}={throttle_url}".encode()
    pids = (int(folder.name) for folder in Path("/proc").glob("[0-9]*"))
    return [pid for pid in pids if mark in _environment(pid)]


def report(calm: Run, rough: Run, hooks: Sequence[Hook], *, as_json: bool) -> bool:
    """Print what was seen; whether all promises were kept."""
    healthy = [hook.path for hook in hooks if not hook.fault]
    before, during = (_percentile([one for path in healthy for one in run.latencies[path]]) for run in (calm, rough))
    changed = sum(len(ids) > 1 for run in (calm, rough) for ids in run.ids.values())
    ok = not calm.lost and not rough.lost and not changed and during <= 2 * before
    rows: dict[str, tuple[object, object]] = {
        "deliveries that had to arrive": (len(calm.ids) + calm.lost, len(rough.ids) + rough.lost),
        "lost": (calm.lost, rough.lost),
        "arrived again, same id": (calm.repeated, rough.repeated),
        "dead letters": (calm.dead, rough.dead),
        "processes killed": (calm.killed, rough.killed),
        "table requests throttled": (calm.refused, rough.refused),
        "healthy webhooks, 95th percentile, s": (round(before, 2), round(during, 2)),
        "all arrived after, s": (round(calm.seconds, 1), round(rough.seconds, 1)),
    }
    for hook in hooks:
        if hook.fault:
            latencies = tuple(round(_percentile(run.latencies[hook.path]), 2) for run in (calm, rough))
            rows[f"webhook that {hook.fault}, 95th percentile, s"] = (latencies[0], latencies[1])
    if as_json:
        json.dump(
            {"ok": ok, "ids_changed": changed, **{name: list(values) for name, values in rows.items()}}, sys.stdout
        )
        return ok
    table = Table("", "undisturbed", "disturbed", title="Faults", title_justify="left")
    for name, values in rows.items():
        table.add_row(name, *map(str, values))
    console.print(table)
    ratio = during / before if before else 0.0
    console.print(f"Healthy webhooks: {ratio:.2f} times the undisturbed run (at most 2); ids changed: {changed}.")
    console.print("[green]Kept.[/green]" if ok else "[red]NOT kept.[/red]")
    return ok


def _hang(_: Received) -> int:
    time.sleep(5)  # longer than an attempt may take
    return 204


def _percentile(values: Sequence[float]) -> float:
    return quantiles(values, n=20)[-1] if len(values) > 1 else float("inf")


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


@contextmanager
def _nothing() -> Iterator[None]:
    yield


if __name__ == "__main__":
    typer.run(main)
