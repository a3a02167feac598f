"""The fan-out of the largest batch that one tenant can cause, beside ten neighbours: memory and time of one process.

`python -m benchmarks.fan_out` prints a line of JSON for each shape. Lambda hands a function at most 6 MB of messages at
once, so the worst batches are a thousand events of 6 KB or 250 of 24 KB, for as many webhooks as an instance may have.
The real parser, recorder, renderer and queue client run; DynamoDB and SQS answer at once, inside the process.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse

from lambdas.aws.sqs.delivery_queue import DeliveryQueue
from lambdas.domain.events.feedback_event import FeedbackEvent
from lambdas.domain.reputation.ledger import LedgerEntry
from lambdas.domain.webhooks.audience import Audience
from lambdas.domain.webhooks.webhook import NotificationFormat, Webhook, WebhookId
from lambdas.feedback.batch import QueueMessage, RecordingOutcome, process
from lambdas.feedback.parse_message import NotAnEvent
from lambdas.feedback.record import Recorder
from tests.events import TOPIC_ARN, bounce, text

INVOCATION = 6_000_000  # bytes of messages that Lambda hands to one invocation
SHAPES = {"many": (1_000, 6_000), "large": (250, 24_000)}  # events, bytes of each
WEBHOOKS = 20  # of one instance: the default of webhooks_per_instance
NEIGHBOURS = 10
NOW = datetime(2026, 11, 21, 5, tzinfo=UTC)


class _Tables:
    """The ledger and the audiences: whatever is asked, at once."""

    def __init__(self, webhooks: int) -> None:
        self._webhooks = webhooks

    def of(self, _: Sequence[str]) -> Callable[[str], Audience]:
        return self._audience

    def _audience(self, instance_id: str) -> Audience:
        count = self._webhooks if instance_id == "tenant" else 1
        webhooks = (
            Webhook(id=WebhookId(f"wh-{instance_id}-{number}"), instance_id=instance_id, format=NotificationFormat.SNS)
            for number in range(count)
        )
        return Audience(instance_id=instance_id, webhooks=tuple(webhooks), baseline=None)

    def add(self, _: str, entries: Sequence[LedgerEntry]) -> frozenset[str]:
        return frozenset(entry.key for entry in entries)

    def add_all_deliveries(self, _: Mapping[str, Mapping[str, int]]) -> dict[str, Exception]:
        return {}


class _Report:
    """Keeps outcomes."""

    def __init__(self) -> None:
        self.outcomes: dict[str, RecordingOutcome] = {}

    def not_an_event(self, message_id: str, reading: NotAnEvent) -> None:
        raise AssertionError(message_id, reading)

    def unattributed(self, event: FeedbackEvent) -> None:
        raise AssertionError(event)

    def outcome(self, instance_id: str, _: Sequence[FeedbackEvent], outcome: RecordingOutcome) -> None:
        self.outcomes[instance_id] = outcome


class _Sqs:
    """A real client whose requests are answered before they reach the network."""

    def __init__(self) -> None:
        self.client = boto3.client(
            "sqs", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
        )
        self.client.meta.events.register("before-send.sqs", self._answer)  # type: ignore[arg-type]
        self.bytes = 0
        self.order: list[str] = []

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        body = request.body if isinstance(request.body, bytes) else request.body.encode()
        self.bytes += len(body)
        entries = json.loads(body)["Entries"]
        self.order += [entry["MessageGroupId"] for entry in entries]
        answer = {"Successful": [{"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": ""} for entry in entries]}
        return AWSResponse(request.url, 200, {}, _Raw(json.dumps(answer).encode()))  # type: ignore[arg-type]


class _Raw:
    """A body as urllib3 gives it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> Any:
        yield self._body


def messages(events: int, size: int) -> list[QueueMessage]:
    """The tenant's batch, its neighbours' events among it."""
    bodies = [
        text(bounce(instance="tenant", feedback_id=f"f{number}", message_id=f"m{number}", subject="x" * (size - 1_500)))
        for number in range(events)
    ]
    neighbours = [text(bounce(instance=f"n{number}", feedback_id=f"n{number}")) for number in range(NEIGHBOURS)]
    return [QueueMessage(id=str(number), body=body) for number, body in enumerate(bodies + neighbours)]


def measured(shape: str, webhooks: int) -> dict[str, Any]:
    """One batch in this process: CPU seconds, and its peak memory, imports and the batch itself included."""
    sqs = _Sqs()
    batch = messages(*SHAPES[shape])
    tables, observer = _Tables(webhooks), _Report()
    recorder = Recorder(
        audiences=tables, ledger=tables, delivery_queue=DeliveryQueue(sqs.client, "https://q"), topic_arn=TOPIC_ARN
    )
    began = time.process_time()
    failed = process(batch, recorder, observer, now=NOW)
    seconds = time.process_time() - began
    first = [group for group in sqs.order[:NEIGHBOURS] if group.startswith("wh-n")]
    return {
        "shape": shape,
        "webhooks": webhooks,
        "events": len(batch),
        "received_mb": round(sum(len(message.body) for message in batch) / 1e6, 1),
        "sent_mb": round(sqs.bytes / 1e6, 1),
        "seconds": round(seconds, 2),
        "peak_mb": round(_peak_mb(), 1),
        "neighbours_first": len(first),
        "failed": len(failed),
    }


def main() -> None:
    """Measure the shape named on the command line, with as many webhooks as the default context allows."""
    for shape in sys.argv[1:] or SHAPES:
        print(json.dumps(measured(shape, WEBHOOKS)), flush=True)


def _peak_mb() -> float:
    """This process's peak memory, MB. Not getrusage's: that begins with what the parent process used."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM:"))


if __name__ == "__main__":
    main()
