"""Faults of AWS, of operators and of clocks, and the tenant that suffers them: see `tests.faults.operations`."""

import json
import os
import random
import signal
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks import workload
from local.clients import Clients
from local.emulator.publishing import as_new, told_of
from local.stack import LocalStack
from local.tenant.receiver import Received, Receiver
from tests.faults.pipeline import PERIODS

PACE = 20.0  # events a second
CLOCK = timedelta(minutes=10)
NOWHERE = "http://127.0.0.1:9"  # the port of `discard`, where nothing listens
POISON = ("not json", "{}", '{"eventType": "Bounce"}', '{"Type": "Notification", "Message": "\\u0000"}', "[" * 3_000)


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
        with environment(self.clients.client("lambda"), self.facts["functions"][function], **variables):
            yield


@contextmanager
def environment(functions: Any, name: str, **variables: str) -> Iterator[None]:
    """Give the function *name* other environment variables for a while; *functions* is a client of Lambda."""
    before = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": {**before, **variables}})
    try:
        yield
    finally:
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": before})


Fault = Callable[[Scene, int], None]


def silently(_step: str, _done: float) -> None:
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
