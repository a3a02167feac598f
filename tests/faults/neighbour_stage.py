"""Tenants beside each other on a running stack, and what one run of events shows of the good ones."""

import json
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import Any

from benchmarks import workload
from lambdas.aws.dynamodb.attribute_values import to_item
from lambdas.aws.dynamodb.webhooks.webhook_table import instance_key, webhook_key
from lambdas.aws.kms.webhook_secrets import encrypt
from lambdas.domain.webhooks.signature import WebhookSecret, new_secret
from lambdas.domain.webhooks.webhook import EventKind, NotificationFormat, Scope, WebhookId
from local.clients import Clients
from local.emulator.publishing import as_new, told_of
from tests.faults.bad_receivers import Receivers, Scenario
from tests.faults.counting import counted_calls

NEIGHBOURS = 20
SETTLING = 20.0  # s after a run until all of the neighbours' events must have arrived
DRAINING = 30.0  # s that what is under way for removed webhooks may take
_MESSAGES = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
_IN_A_CALL = 10  # messages of one SendMessageBatch


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant's instance and its webhook."""

    instance_id: str
    webhook_id: WebhookId


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a run publishes: `rounds` events for each tenant, one every `interval`, s. `others` is how many there are
    beside the neighbours, and `scenario` how they behave.
    """

    others: int
    scenario: Scenario
    rounds: int
    interval: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What runs saw: the neighbours' latencies, s, and how many of their events did not arrive in time; the share of
    the machine's processors that was busy while events were published; the functions' AWS calls for `events` events.
    """

    latencies: tuple[float, ...]
    lost: int
    events: int
    busy: float
    calls: Counter[str]

    def percentile(self, percent: int) -> float:
        """A percentile of the latencies, s. What was lost took for ever."""
        values = sorted([*self.latencies, *[inf] * self.lost])
        return values[min(len(values) - 1, len(values) * percent // 100)] if values else inf

    @property
    def calls_per_event(self) -> float:
        """AWS calls that all functions made for an event."""
        return self.calls.total() / self.events

    def __add__(self, other: "Outcome") -> "Outcome":
        """Both runs as one."""
        return Outcome(
            latencies=self.latencies + other.latencies,
            lost=self.lost + other.lost,
            events=self.events + other.events,
            busy=(self.busy + other.busy) / 2,
            calls=self.calls + other.calls,
        )


class Stage:
    """Tenants on a running stack, written into its tables as the broker would."""

    def __init__(self, facts: Mapping[str, Any], receivers: Receivers, folder: Path) -> None:
        self._facts = facts
        self._receivers = receivers
        self._calls = folder / "calls"
        self._clients = Clients(facts["aws_endpoint_url"], facts["region"])
        for function in ("feedback", "delivery", "release"):
            self._count_calls(facts["functions"][function])

    def run(self, load: Load) -> Outcome:
        """Publish to new tenants; then remove them."""
        neighbours = [self._tenant(Scenario.GOOD) for _ in range(NEIGHBOURS)]
        tenants = neighbours + [self._tenant(load.scenario) for _ in range(load.others)]
        published: dict[str, float] = {}
        busy, calls, began = _busy(), counted_calls.counts(self._calls), time.monotonic()
        for at, some in _timetable(tenants, load):
            time.sleep(max(0.0, began + at - time.monotonic()))
            self._publish(some, neighbours, published)
        idle, elapsed = [after - before for before, after in zip(busy, _busy(), strict=True)]
        calls = counted_calls.counts(self._calls) - calls
        self._await(published)
        self._remove(tenants)
        arrived = {id_: at for id_, at in self._receivers.arrived.items() if id_ in published}
        return Outcome(
            latencies=tuple(at - published[id_] for id_, at in arrived.items()),
            lost=len(published) - len(arrived),
            events=len(tenants) * load.rounds,
            busy=1 - idle / elapsed if elapsed else 0.0,
            calls=calls,
        )

    def _count_calls(self, function: str) -> None:
        functions = self._clients.client("lambda")
        variables = functions.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
        counting = {**variables, **counted_calls.variables(self._calls)}
        functions.update_function_configuration(FunctionName=function, Environment={"Variables": counting})

    def _tenant(self, scenario: Scenario) -> Tenant:
        webhook = WebhookId(f"wh-{uuid.uuid4().hex[:12]}")
        tenant = Tenant(str(uuid.uuid4()), webhook)
        secret = WebhookSecret(secret=new_secret())
        item = {
            **webhook_key(tenant.instance_id, webhook),
            "url": self._receivers.url(scenario),
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
        self._receivers.hang_up()
        deadline = time.monotonic() + DRAINING
        while time.monotonic() < deadline:
            time.sleep(0.5)
            if not sum(self._waiting(sqs, name) for name in ("events", "deliveries", "slow_deliveries")):
                return

    def _waiting(self, sqs: Any, name: str) -> int:
        answer = sqs.get_queue_attributes(QueueUrl=self._facts["queues"][name], AttributeNames=["All"])
        return sum(int(answer["Attributes"][each]) for each in _MESSAGES)


def _timetable(tenants: Sequence[Tenant], load: Load) -> Iterator[tuple[float, Sequence[Tenant]]]:
    """When to publish to whom: calls of ten at an even pace, neighbours and others mixed."""
    calls = -(-len(tenants) // _IN_A_CALL)
    for call in range(calls * load.rounds):
        yield load.interval * call / calls, tenants[call % calls :: calls]


def _busy() -> tuple[float, float]:
    """The processors' idle and whole time so far; the same unit in both. Nothing where the system does not say."""
    try:
        first = Path("/proc/stat").read_text().splitlines()[0]
    except OSError:
        return 0.0, 0.0
    times = [float(value) for value in first.split()[1:9]]
    return times[3] + times[4], sum(times)
