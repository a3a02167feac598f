"""`python -m tests.faults.pipeline_neighbours`: what bad webhooks cost their neighbours, on the embedded AWS.

Twenty tenants with a good webhook each get an event a second, beside 1, 21 or 41 others that get as many. First those
others are good too, then their receivers hang, answer after 9.9 s, break TLS, answer no HTTP, or refuse connections.
The twenty's 95th percentile, from event to webhook, must stay within twice that of the good load. The stack has
production's periods and concurrency.
"""

import json
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks import workload
from benchmarks.report import Table, number, show
from lambdas.aws.dynamodb.attribute_values import to_item
from lambdas.aws.dynamodb.webhooks.webhook_table import instance_key, webhook_key
from lambdas.aws.kms.webhook_secrets import encrypt
from lambdas.domain.webhooks.signature import WebhookSecret, new_secret
from lambdas.domain.webhooks.webhook import EventKind, NotificationFormat, Scope, WebhookId
from local.clients import Clients
from local.emulator.publishing import as_new, told_of
from local.stack import LocalStack
from tests.faults.bad_receivers import FAULTS, GOOD, Receivers

NEIGHBOURS = 20
OTHERS = (1, 21, 41)
SECONDS = 40  # of a run
SETTLING = 20.0  # s after it until all of the neighbours' events must have arrived
MOST = 2.0  # times the good load's 95th percentile
DRAINING = 60.0  # s that what is under way for removed webhooks may take
_MESSAGES = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
_IN_A_CALL = 10  # messages of one SendMessageBatch
console = Console(highlight=False)


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant's instance and its webhook."""

    instance_id: str
    webhook_id: WebhookId


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run saw: the neighbours' latencies, s, and how many of their events did not arrive."""

    latencies: tuple[float, ...]
    lost: int

    def percentile(self, percent: int) -> float:
        """A percentile of the latencies, s."""
        return quantiles(self.latencies, n=100)[percent - 1] if len(self.latencies) > 1 else float("inf")


class Stage:
    """Tenants on a running stack, written into its tables as the broker would."""

    def __init__(self, facts: Mapping[str, Any], receivers: Receivers) -> None:
        self._facts = facts
        self._receivers = receivers
        self._clients = Clients(facts["aws_endpoint_url"], facts["region"])

    def run(self, others: int, fault: str, seconds: int) -> Outcome:
        """Publish to new tenants for *seconds*; *others* have *fault*."""
        neighbours = [self._tenant(GOOD) for _ in range(NEIGHBOURS)]
        tenants = neighbours + [self._tenant(fault) for _ in range(others)]
        published: dict[str, float] = {}
        began = time.monotonic()
        for second in range(seconds):
            time.sleep(max(0.0, began + second - time.monotonic()))
            for some in _spread(tenants):
                self._publish(some, neighbours, published)
        self._await(published)
        self._remove(tenants)
        arrived = {id_: at for id_, at in self._receivers.arrived.items() if id_ in published}
        latencies = tuple(at - published[id_] for id_, at in arrived.items())
        return Outcome(latencies=latencies, lost=len(published) - len(arrived))

    def _tenant(self, fault: str) -> Tenant:
        webhook = WebhookId(f"wh-{uuid.uuid4().hex[:12]}")
        tenant = Tenant(str(uuid.uuid4()), webhook)
        secret = WebhookSecret(secret=new_secret())
        item = {
            **webhook_key(tenant.instance_id, webhook),
            "url": self._receivers.url(fault),
            "events": [EventKind.DELIVERY.value],
            "format": NotificationFormat.STANDARD_WEBHOOKS.value,
            "scope": Scope.INSTANCE.value,
            "senders": ["b"],
            "bindings": ["b"],
            "ciphertext": encrypt(self._clients.client("kms"), self._facts["key_arn"], webhook, secret),
            "version": 1,
        }
        for each in ({**instance_key(tenant.instance_id), "notifications": True}, item):
            self._clients.client("dynamodb").put_item(TableName=self._facts["tables"]["webhooks"], Item=to_item(each))
        return tenant

    def _publish(self, tenants: Sequence[Tenant], neighbours: Sequence[Tenant], published: dict[str, float]) -> None:
        """Put an event for each into the events queue, as SNS does; the neighbours' are noted."""
        (event,) = workload.events_in_turn(1)
        entries: list[Any] = []
        for tenant in tenants:
            text = as_new(told_of(event, tenant.instance_id), now=datetime.now(UTC), region=self._facts["region"])
            entries.append({"Id": str(len(entries)), "MessageBody": text})
            if tenant in neighbours:
                published[json.loads(text)["mail"]["messageId"]] = time.time()
        self._clients.client("sqs").send_message_batch(QueueUrl=self._facts["queues"]["events"], Entries=entries)

    def _await(self, published: Mapping[str, float]) -> None:
        deadline = time.monotonic() + SETTLING
        while time.monotonic() < deadline and not published.keys() <= self._receivers.arrived.keys():
            time.sleep(0.2)

    def _remove(self, tenants: Sequence[Tenant]) -> None:
        """Unbind all, and wait until what is under way for them has ended: the next run begins undisturbed."""
        dynamodb, sqs = self._clients.client("dynamodb"), self._clients.client("sqs")
        for tenant in tenants:
            for key in (webhook_key(tenant.instance_id, tenant.webhook_id), instance_key(tenant.instance_id)):
                dynamodb.delete_item(TableName=self._facts["tables"]["webhooks"], Key=to_item(key))
        deadline = time.monotonic() + DRAINING
        while time.monotonic() < deadline:
            time.sleep(1)
            if not sum(self._waiting(sqs, name) for name in ("events", "deliveries", "slow_deliveries")):
                return

    def _waiting(self, sqs: Any, name: str) -> int:
        answer = sqs.get_queue_attributes(QueueUrl=self._facts["queues"][name], AttributeNames=["All"])
        return sum(int(answer["Attributes"][each]) for each in _MESSAGES)


def _spread(tenants: Sequence[Tenant]) -> Iterator[Sequence[Tenant]]:
    """Tenants in calls of ten, neighbours and others mixed."""
    calls = -(-len(tenants) // _IN_A_CALL)
    for call in range(calls):
        yield tenants[call::calls]


def main(
    others: Annotated[list[int] | None, typer.Option(help="How many bad webhooks; may be said several times.")] = None,
    fault: Annotated[list[str] | None, typer.Option(help=f"Of {', '.join(FAULTS)}; may be said several times.")] = None,
    seconds: Annotated[int, typer.Option(help="Length of each run.")] = SECONDS,
) -> None:
    """Compare each fault with the same load of good webhooks; status 1 if neighbours waited too long or lost events."""
    rows, kept = [], True
    with TemporaryDirectory(prefix="ses-feedback-neighbours-") as folder, Receivers() as receivers:
        stack = LocalStack(Path(folder))
        try:
            stage = Stage(stack.up(lambda *_: None, context={}, environment={}), receivers)
            stage.run(1, GOOD, 10)  # processes start, caches fill
            for count in others or OTHERS:
                good = stage.run(count, GOOD, seconds)
                rows.append((f"{count} others", GOOD, *_cells(good), ""))
                for each in fault or FAULTS:
                    bad = stage.run(count, each, seconds)
                    ratio = bad.percentile(95) / good.percentile(95)
                    kept &= ratio <= MOST and not bad.lost
                    rows.append((f"{count} others", each, *_cells(bad), number(ratio)))
                    console.print(f"[dim]{count} {each}: {ratio:.2f} times[/dim]")
        finally:
            stack.down()
    table = Table(
        title=f"{NEIGHBOURS} good webhooks beside others, from event to webhook",
        columns=("", "the others", "50th percentile, s", "95th", "lost", "95th / good load's"),
        rows=tuple(rows),
        note=f"At most {MOST:.0f} times.",
    )
    show([table], console)
    console.print("[green]Kept.[/green]" if kept else "[red]NOT kept.[/red]")
    sys.exit(0 if kept else 1)


def _cells(outcome: Outcome) -> tuple[str, str, str]:
    return number(outcome.percentile(50)), number(outcome.percentile(95)), str(outcome.lost)


if __name__ == "__main__":
    typer.run(main)
