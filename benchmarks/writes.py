"""What recording costs: write units and calls an event, as the feedback function makes them."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.report import Figure, Report, Table, lower, number
from lambdas.aws.dynamodb.reputation.ledger import Ledger
from lambdas.aws.sqs.delivery_queue import DeliveryQueue
from lambdas.domain.events.feedback_event import FeedbackEvent
from lambdas.domain.webhooks.audience import Audience
from lambdas.domain.webhooks.webhook import Webhook, WebhookId
from lambdas.feedback.batch import QueueMessage, RecordingOutcome, process
from lambdas.feedback.parse_message import NotAnEvent
from lambdas.feedback.record import Recorder

TENANTS = 20
BOUNCES = 0.02
COMPLAINTS = 0.0004
EVENTS = 20_000
TARGETS = {100: 0.30, 1_000: 0.15}  # write units an event, by size of batch
_WRITE = 0.625 / 1e6  # $ a write unit, us-east-1
_READ = 0.125 / 1e6  # $ a read unit
_SQS = 0.40 / 1e6  # $ a request of up to 64 KB; a batch of ten entries is one to ten of them
_KB = 1_024
_SQS_UNIT = 64 * 1_024
_NOW = datetime(2026, 11, 21, 4, 30, tzinfo=UTC)


@dataclass
class Meter:
    """Stands in for DynamoDB and SQS, and counts what they would bill."""

    writes: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    queue_units: int = 0

    def transact_write_items(self, *, TransactItems: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        """Twice the price, each action by its own item's size."""
        self.calls["transact_write_items"] += 1
        for action in TransactItems:
            item = action["Put"]["Item"] if "Put" in action else action["Update"]["Key"]
            self.writes += 2 * _units(item)
        return {}

    def update_item(self, **call: Any) -> dict[str, Any]:
        """A counter is far below 1 KB."""
        self.calls["update_item"] += 1
        self.writes += _units(call["Key"])
        return {}

    def batch_execute_statement(self, *, Statements: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        """Counters, too."""
        self.calls["batch_execute_statement"] += 1
        self.writes += len(Statements)
        return {"Responses": [{} for _ in Statements]}

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        """Each 64 KB of the call is a request."""
        self.calls["send_message_batch"] += 1
        size = sum(len(entry["MessageBody"].encode()) for entry in Entries)
        self.queue_units += -(-size // _SQS_UNIT)
        return {}


@dataclass
class _Audiences:
    """Each instance has one webhook, and nobody changes it: a call for up to 100 instances, a read unit each."""

    calls: int = 0
    reads: int = 0

    def of(self, instance_ids: Sequence[str]) -> Callable[[str], Audience | None]:
        """Their audiences."""
        self.calls += -(-len(instance_ids) // 100)
        self.reads += len(instance_ids)
        return _audience


def _audience(instance_id: str) -> Audience:
    webhook = Webhook(id=WebhookId(f"w-{instance_id}"), instance_id=instance_id)
    return Audience(instance_id=instance_id, webhooks=(webhook,), baseline=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What an event costs on average."""

    batch: int
    writes: float
    calls: float
    queue_units: float
    reads: float

    @property
    def million(self) -> float:
        """$ for DynamoDB and the deliveries queue, a million events."""
        return 1e6 * (self.writes * _WRITE + self.reads * _READ + self.queue_units * _SQS)


def cost_of(batch: int, events: int = EVENTS) -> Cost:
    """Feed *events* in batches of *batch* and read the meter."""
    meter, audiences = Meter(), _Audiences()
    client: Any = meter
    recorder = Recorder(
        audiences=audiences,
        ledger=Ledger(client, "reputation"),
        delivery_queue=DeliveryQueue(client, "https://sqs.example/deliveries"),
        topic_arn="arn:aws:sns:us-east-1:111122223333:events",
    )
    messages = list(_messages(events))
    for start in range(0, events, batch):
        process(messages[start : start + batch], recorder, _Silence(), now=_NOW)
    return Cost(
        batch=batch,
        writes=meter.writes / events,
        calls=(meter.calls.total() + audiences.calls) / events,
        queue_units=meter.queue_units / events,
        reads=audiences.reads / events,
    )


def measure() -> Report:
    """Batches of each size."""
    costs = [cost_of(size) for size in TARGETS]
    return Report(name="writes", tables=(_table(costs),), figures=tuple(_figures(costs)))


def _table(costs: list[Cost]) -> Table:
    return Table(
        title=f"Recording an event: {TENANTS} tenants, {BOUNCES:.0%} bounces, {COMPLAINTS:.2%} complaints",
        columns=("batch of", "write units", "AWS calls", "$ a million events"),
        rows=tuple(
            (f"{cost.batch:,}", number(cost.writes), number(cost.calls), number(cost.million, "$")) for cost in costs
        ),
        note="DynamoDB on demand and the deliveries queue, us-east-1. One event is one mail to one recipient.",
    )


def _figures(costs: list[Cost]) -> Iterator[Figure]:
    for cost in costs:
        target = TARGETS[cost.batch]
        yield lower(f"writes: DynamoDB write units an event, batches of {cost.batch:,}", cost.writes, "", target)
        yield lower(f"writes: AWS calls an event, batches of {cost.batch:,}", cost.calls, "", target)


def _messages(events: int) -> Iterator[QueueMessage]:
    """Events of any tenant, within an hour."""
    generator = random.Random(1)
    for place in range(events):
        drawn = generator.random()
        kind = "Bounce" if drawn < BOUNCES else "Complaint" if drawn < BOUNCES + COMPLAINTS else "Delivery"
        yield QueueMessage(id=str(place), body=json.dumps(_event(kind, place, generator.randrange(TENANTS))))


def _event(kind: str, place: int, tenant: int) -> dict[str, Any]:
    stamp = (_NOW - timedelta(seconds=place % 1_800)).isoformat()
    address = f"customer{place}@shop.example"
    feedback_id = f"0100{place:012x}-5b7e06a9-770e-4998-be49-c08dd8dc2c7e-000000"
    own: dict[str, Any] = {"timestamp": stamp, "feedbackId": feedback_id}
    match kind:
        case "Bounce":
            own |= {"bounceType": "Permanent", "bounceSubType": "General"}
            own |= {"bouncedRecipients": [{"emailAddress": address, "status": "5.1.1"}]}
        case "Complaint":
            own |= {"complaintFeedbackType": "abuse", "complainedRecipients": [{"emailAddress": address}]}
        case _:
            own |= {"recipients": [address], "smtpResponse": "250 OK"}
    mail = {
        "messageId": f"0100{place:012x}-7c191be4-02f9-4d12-a87d-dd0099a07f8a-000000",
        "timestamp": stamp,
        "source": "shop@tenant.example",
        "destination": [address],
        "tags": {"ses:configuration-set": [f"ses-feedback-{tenant:08}-e5f6-4711-8000-000000000000"]},
    }
    return {"eventType": kind, kind.lower(): own, "mail": mail}


class _Silence:
    """A report to nobody."""

    def not_an_event(self, message_id: str, reading: NotAnEvent) -> None:
        """There is none."""
        raise AssertionError(reading)

    def unattributed(self, event: FeedbackEvent) -> None:
        """There is none."""
        raise AssertionError(event)

    def outcome(self, instance_id: str, events: Any, outcome: RecordingOutcome) -> None:
        """Not looked at."""


def _units(item: dict[str, Any]) -> int:
    """Write units of an item: by the KB, names and values."""
    size = sum(len(name) + len(json.dumps(value)) for name, value in item.items())
    return -(-size // _KB)


if __name__ == "__main__":
    from rich.console import Console

    from benchmarks.report import figures_table, show

    observer = measure()
    show([*observer.tables, figures_table([observer])], Console())
