"""Counters against an independent count, under crashes: `python -m tests.faults.reputation [EVENTS] [SEED]`.

Events of five tenants, 5 % told twice, shuffled, some of them days late, are fed in batches by several workers at once,
whose every write may be their last. What a worker had in hand is fed again, in other company. In the end the table must
say of bounces and complaints, hour by hour, what was published, and every webhook must have got each of its events.
"""

import json
import queue
import random
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.report import Table, show
from lambdas.aws.dynamodb.attribute_values import to_item
from lambdas.aws.dynamodb.reputation.ledger import Ledger
from lambdas.aws.dynamodb.webhooks.audiences import Audiences
from lambdas.aws.dynamodb.webhooks.webhook_table import instance_key, webhook_key
from lambdas.aws.sqs.delivery_queue import DeliveryQueue, decode
from lambdas.domain.events.feedback_event import FeedbackEvent
from lambdas.domain.webhooks.webhook import WebhookId
from lambdas.feedback.batch import QueueMessage, RecordingOutcome, process
from lambdas.feedback.parse_message import NotAnEvent
from lambdas.feedback.record import Recorder
from local import process as embedded
from local.clients import Clients
from tests.faults.dying_clients import Dying, Killed, Seeds

INSTANCES = tuple(f"tenant-{number}" for number in range(5))
DUPLICATES = 0.05
DEATHS = 0.03  # of writes
FAULTS = 0.03
BATCH = 50
WORKERS = 3
_SHARES = {"bounce": 0.15, "complaint": 0.05}  # more than in life, for they are what must be exact

Hours = Counter[tuple[str, str, str]]  # (instance, kind, hour): how many


@dataclass(frozen=True, slots=True)
class Published:
    """What was published, and what it amounts to."""

    messages: list[str]
    hours: Hours
    events: int


@dataclass
class Outcomes:
    """What a run came to."""

    published: Published
    counted: Hours
    delivered: set[str]
    sent: int
    deaths: int
    seconds: float
    failures: list[str] = field(default_factory=list)

    def exact(self, kind: str) -> bool:
        """Whether every hour's count is the published one."""
        return _only(self.counted, kind) == _only(self.published.hours, kind)

    def total(self, kind: str) -> tuple[int, int]:
        """Published, and counted."""
        return sum(_only(self.published.hours, kind).values()), sum(_only(self.counted, kind).values())


def publish(count: int, seed: int, *, now: datetime) -> Published:
    """*count* events, duplicates among them, in any order; with a count of their own, made while they are."""
    generator = random.Random(seed)
    unique = round(count / (1 + DUPLICATES))
    hours: Hours = Counter()
    messages = []
    for number in range(unique):
        kind = _kind(generator)
        instance = generator.choice(INSTANCES)
        happened = now - timedelta(hours=generator.choice([0, 0, 0, 1, 2, 30, 100]))
        recipients = 1 if kind == "complaint" else generator.choice([1, 1, 1, 2, 5])
        hours[instance, kind, happened.strftime("%Y-%m-%dT%H")] += recipients
        messages.append(json.dumps(_event(kind, instance, number, recipients, happened)))
    messages += generator.sample(messages, count - unique)
    generator.shuffle(messages)
    return Published(messages, hours, unique)


def run(clients: Clients, *, count: int, seed: int) -> Outcomes:
    """Publish and feed *count* events on an AWS that *clients* reach, in tables and a queue of their own."""
    started = time.perf_counter()
    place = _Place(clients)
    published = publish(count, seed, now=datetime.now(UTC))
    try:
        deaths = _feed(place, published.messages, Seeds(seed))
        delivered, sent = place.delivered()
        return Outcomes(
            published=published,
            counted=place.counted(),
            delivered=delivered,
            sent=sent,
            deaths=deaths,
            seconds=time.perf_counter() - started,
        )
    finally:
        place.leave()


class _Place:
    """Tables and a queue for one run."""

    def __init__(self, clients: Clients) -> None:
        self.dynamodb, self.sqs = clients.client("dynamodb"), clients.client("sqs")
        self.name = f"faults-{uuid.uuid4().hex[:8]}"
        self.tables = [f"{self.name}-webhooks", f"{self.name}-reputation"]
        for table in self.tables:
            self.dynamodb.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                KeySchema=[
                    {"AttributeName": "instance_id", "KeyType": "HASH"},
                    {"AttributeName": "item", "KeyType": "RANGE"},
                ],
                AttributeDefinitions=[
                    {"AttributeName": name, "AttributeType": "S"} for name in ("instance_id", "item")
                ],
            )
        self.queue_url = self.sqs.create_queue(QueueName=self.name)["QueueUrl"]
        for instance in INSTANCES:
            webhook = {
                "events": ["bounce", "complaint", "delivery"],
                "format": "standard-webhooks",
                "scope": "instance",
                "senders": ["b"],
            }
            for key in (
                instance_key(instance) | {"notifications": True},
                webhook_key(instance, WebhookId("w")) | webhook,
            ):
                self.dynamodb.put_item(TableName=self.tables[0], Item=to_item(key))

    def recorder(self, generator: random.Random) -> Recorder:
        """The pipeline as a new process has it, in danger."""
        dynamodb: Any = Dying(self.dynamodb, generator, deaths=DEATHS, faults=FAULTS)
        sqs: Any = Dying(self.sqs, generator, deaths=DEATHS, faults=FAULTS)
        return Recorder(
            audiences=Audiences(self.dynamodb, self.tables[0]),
            ledger=Ledger(dynamodb, self.tables[1]),
            delivery_queue=DeliveryQueue(sqs, self.queue_url),
            topic_arn="arn:aws:sns:us-east-1:000000000000:events",
        )

    def counted(self) -> Hours:
        """What the table says."""
        hours: Hours = Counter()
        for page in self.dynamodb.get_paginator("scan").paginate(TableName=self.tables[1]):
            for item in page["Items"]:
                prefix, _, hour = item["item"]["S"].partition("#")
                names = {"feedback": ("bounces", "complaints"), "deliveries": ("deliveries",)}.get(prefix, ())
                for name in names:
                    kind = {"bounces": "bounce", "complaints": "complaint", "deliveries": "delivery"}[name]
                    if count := int(item[name]["N"]):
                        hours[item["instance_id"]["S"], kind, hour] += count
        return hours

    def delivered(self) -> tuple[set[str], int]:
        """The ids of all deliveries in the queue, and how many there were with repetitions."""
        ids: set[str] = set()
        sent = 0
        while messages := self.sqs.receive_message(
            QueueUrl=self.queue_url, MaxNumberOfMessages=10, VisibilityTimeout=600
        ).get("Messages", []):
            for message in messages:
                batch = decode(message["Body"])
                ids |= {delivery.id for delivery in batch.deliveries}
                sent += len(batch.deliveries)
        return ids, sent

    def leave(self) -> None:
        """Remove it all."""
        for table in self.tables:
            self.dynamodb.delete_table(TableName=table)
        self.sqs.delete_queue(QueueUrl=self.queue_url)


class _Silence:
    """A report to nobody."""

    def not_an_event(self, message_id: str, reading: NotAnEvent) -> None:
        """There is none."""
        raise AssertionError(reading)

    def unattributed(self, event: FeedbackEvent) -> None:
        """There is none."""
        raise AssertionError(event)

    def outcome(self, instance_id: str, events: Sequence[FeedbackEvent], outcome: RecordingOutcome) -> None:
        """Not looked at."""


def _feed(place: _Place, messages: Sequence[str], seeds: Seeds) -> int:
    """Feed them all, whatever it takes; how often a worker died."""
    waiting: queue.SimpleQueue[QueueMessage] = queue.SimpleQueue()
    for number, body in enumerate(messages):
        waiting.put(QueueMessage(id=str(number), body=body))
    deaths = Counter[str]()

    def work() -> None:
        while batch := list(_some(waiting)):
            try:
                failed = set(process(batch, place.recorder(seeds.next()), _Silence(), now=datetime.now(UTC)))
            except Killed:
                deaths["all"] += 1
                failed = {message.id for message in batch}
            for message in batch:
                if message.id in failed:
                    waiting.put(message)

    workers = [threading.Thread(target=work) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    work()  # what the last to stop had put back
    return deaths["all"]


def _some(waiting: "queue.SimpleQueue[QueueMessage]") -> Iterator[QueueMessage]:
    for _ in range(BATCH):
        try:
            yield waiting.get_nowait()
        except queue.Empty:
            return


def _kind(generator: random.Random) -> str:
    drawn = generator.random()
    return "bounce" if drawn < _SHARES["bounce"] else "complaint" if drawn < sum(_SHARES.values()) else "delivery"


def _event(kind: str, instance: str, number: int, recipients: int, happened: datetime) -> dict[str, Any]:
    addresses = [f"{number}.{place}@shop.example" for place in range(recipients)]
    listed = [{"emailAddress": address} for address in addresses]
    own: dict[str, Any] = {"timestamp": happened.isoformat(), "feedbackId": f"f-{number}"}
    match kind:
        case "bounce":
            own |= {"bounceType": "Permanent", "bouncedRecipients": listed}
        case "complaint":
            own |= {"complainedRecipients": listed}
        case _:
            own |= {"recipients": addresses}
    mail = {
        "messageId": f"m-{number}",
        "timestamp": happened.isoformat(),
        "tags": {"ses:configuration-set": [f"ses-feedback-{instance}"]},
    }
    return {"eventType": kind.title(), kind: own, "mail": mail}


def _only(hours: Hours, kind: str) -> Hours:
    return Counter({key: count for key, count in hours.items() if key[1] == kind})


def main(count: int = 20_000, seed: int = 1) -> int:
    """Run on an embedded AWS of its own; 1 when a count is off or a delivery is missing."""
    with tempfile.TemporaryDirectory() as folder:
        server = embedded.start(Path(folder))
        try:
            done = run(Clients(server.url), count=count, seed=seed)
        finally:
            embedded.stop(server.pid)
    exact = {kind: done.exact(kind) for kind in ("bounce", "complaint")}
    missing = done.published.events - len(done.delivered)
    rows = [
        (kind, *(f"{number:,}" for number in done.total(kind)), decision)
        for kind, decision in [
            *((kind, "exact, hour by hour" if right else "WRONG") for kind, right in exact.items()),
            ("delivery", "at least once; a crash can count some twice"),
        ]
    ]
    table = Table(
        title=f"Counters after {count:,} events, {DUPLICATES:.0%} of them duplicates, and {done.deaths} crashes",
        columns=("", "published", "counted", ""),
        rows=tuple(rows),
        note=f"{len(done.delivered):,} of {done.published.events:,} webhooks made, {done.sent:,} with repetitions; "
        f"{done.seconds:.0f} s, seed {seed}",
    )
    show([table], Console())
    return int(not all(exact.values()) or missing != 0)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
