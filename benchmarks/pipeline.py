"""Events through feedback and delivery as they are deployed, in the world of stubs: times, calls and units counted."""

import base64
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from benchmarks import workload
from benchmarks.aws_stub import ciphertext
from benchmarks.invoke import Invocation
from benchmarks.world import World
from infra.context import Context
from lambdas.aws.dynamodb.attribute_values import to_item
from lambdas.aws.dynamodb.webhooks.webhook_table import instance_key, webhook_key
from lambdas.delivery.settings import DeliverySettings
from lambdas.domain.webhooks.signature import new_secret
from lambdas.domain.webhooks.webhook import DEFAULT_EVENTS, NotificationFormat, Scope, WebhookId
from lambdas.feedback.settings import FeedbackSettings

FEEDBACK = "lambdas.feedback.handler.handler"
DELIVERY = "lambdas.delivery.handler.handler"
EVENTS, DELIVERIES, SLOW_DELIVERIES = "events", "deliveries", "slow-deliveries"
WARMING = "warming"  # a queue of events that come before those that are measured
DEPLOYED = Context()  # what an operator gets who sets nothing
_SEED_AT_ONCE = 1_000  # items in a request to the stub


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One function's part: what each invocation took, what it asked of AWS, what it logged."""

    invocations: tuple[Invocation, ...]
    counts: Counter[str]
    log_bytes: int
    peak_mib: float

    @property
    def wall_s(self) -> float:
        """Time spent in invocations."""
        return sum(invocation.wall_s for invocation in self.invocations)

    @property
    def cpu_s(self) -> float:
        """CPU spent in invocations."""
        return sum(invocation.cpu_s for invocation in self.invocations)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fed:
    """What feedback made of events: the messages of the deliveries queue."""

    stage: Stage
    messages: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What delivery did with messages: requests, their bytes and how many different ones arrived; the receivers' CPU a
    second.
    """

    stage: Stage
    posts: int
    bytes: int
    delivered: int
    receiver_busy: float


def seed(world: World, tenants: int, *, batch: int = 1) -> None:
    """Give each of *tenants* an instance and a webhook with that `notification_batch`; they share the receivers."""
    items = [item for number in range(tenants) for item in _items(world, number, batch)]
    for start in range(0, len(items), _SEED_AT_ONCE):
        world.stub("seed", table="webhooks", items=items[start : start + _SEED_AT_ONCE])


def _items(world: World, number: int, batch: int) -> Iterator[dict[str, Any]]:
    instance, webhook = workload.tenant(number), WebhookId(f"webhook-{number:05d}")
    secret = json.dumps({"secret": new_secret(), "userinfo": None}).encode()
    yield _wire({**instance_key(instance), "notifications": True})
    yield _wire(
        {
            **webhook_key(instance, webhook),
            "url": world.urls[number % len(world.urls)],
            "events": [kind.value for kind in DEFAULT_EVENTS],
            "format": NotificationFormat.STANDARD_WEBHOOKS.value,
            "scope": Scope.INSTANCE.value,
            "batch": batch,
            "senders": [workload.binding(number)],
            "bindings": [workload.binding(number)],
            "ciphertext": ciphertext(secret),
            "version": 1,
        }
    )


def _wire(values: dict[str, Any]) -> dict[str, Any]:
    """An item as it stands in DynamoDB's JSON, where bytes are base64."""
    item: dict[str, Any] = dict(to_item(values))
    return {
        name: {"B": base64.b64encode(value["B"]).decode()} if "B" in value else value for name, value in item.items()
    }


def feed(
    world: World, events: Sequence[str], *, batch: int = DEPLOYED.feedback_batch_size, warming: Sequence[str] = ()
) -> Fed:
    """Run *events* through one environment of feedback, which has seen the events *warming* before.

    An environment lives for an hour or more: whose webhooks and counters it knows decides what an event costs.
    """
    world.stub("reset")
    world.stub("fill", queue=WARMING, bodies=list(warming))
    world.stub("fill", queue=EVENTS, bodies=list(events))
    stage = stage_of(
        world,
        FEEDBACK,
        [WARMING, EVENTS],
        batch,
        feedback_settings(world).to_environment(),
        warming=-(-len(warming) // batch),
    )
    return Fed(stage=stage, messages=tuple(world.drain(DELIVERIES)))


def deliver(
    world: World,
    messages: Sequence[str],
    *,
    latency: float,
    hanging: int = 0,
    seconds: float = 120,
    batch: int = DEPLOYED.delivery_batch_size,
    whole: bool = False,
) -> Posted:
    """Run *messages* through one environment of delivery, until none is due or *seconds* are over.

    *whole*: what takes longer than the deliveries queue allows is posted too, through the slow queue as in life.
    """
    world.stub("reset")
    world.stub("fill", queue=DELIVERIES, bodies=list(messages))
    world.behave(latency=latency, hanging=hanging)
    settings = delivery_settings(world).to_environment()
    queues = [DELIVERIES, SLOW_DELIVERIES] if whole else [DELIVERIES]
    stage = stage_of(world, DELIVERY, queues, batch, settings, seconds, patient=whole)
    received = world.received()
    return Posted(
        stage=stage,
        posts=received["received"],
        bytes=received["bytes"],
        delivered=received["distinct"],
        receiver_busy=received["cpu_s"] / stage.wall_s,
    )


def stage_of(
    world: World,
    handler: str,
    queues: Sequence[str],
    batch: int,
    settings: Mapping[str, str],
    seconds: float = 120,
    *,
    warming: int = 0,
    patient: bool = False,
) -> Stage:
    """Run *handler* on the stub's *queues* in an environment of its own. Counts begin after *warming* invocations."""
    done = world.run(handler, queues, batch=batch, settings=settings, seconds=seconds, warming=warming, patient=patient)
    return Stage(
        invocations=done.run.invocations,
        counts=Counter(world.stub("counts")),
        log_bytes=done.log_bytes,
        peak_mib=done.run.peak_mib,
    )


def _queue_url(world: World, name: str) -> str:
    return f"{world.endpoint}/000000000000/{name}"


def feedback_settings(world: World) -> FeedbackSettings:
    """Feedback, as deployed, in *world*."""
    return FeedbackSettings(
        webhooks_table="webhooks",
        reputation_table="reputation",
        deliveries_queue_url=_queue_url(world, DELIVERIES),
        event_topic_arn="arn:aws:sns:us-east-1:000000000000:ses-feedback-events",
    )


def delivery_settings(world: World) -> DeliverySettings:
    """Delivery, as deployed, in *world*."""
    return DeliverySettings(
        webhooks_table="webhooks",
        backlog_table="backlog",
        deliveries_queue_url=_queue_url(world, DELIVERIES),
        slow_deliveries_queue_url=_queue_url(world, SLOW_DELIVERIES),
        partition="aws",
        region="us-east-1",
        account="000000000000",
        allowed_cidrs="127.0.0.0/8",
        allow_http=False,
        private_ca_file=str(world.authority),
        attempt_seconds=DEPLOYED.attempt_seconds,
        retry_seconds=",".join(map(str, DEPLOYED.retry_seconds)),
        probe_seconds=",".join(map(str, DEPLOYED.probe_seconds)),
        failing_seconds=DEPLOYED.failing_seconds,
        disabled_seconds=DEPLOYED.disabled_seconds,
        release_seconds=DEPLOYED.release_seconds,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitCosts:
    """CPU, s: of an event and of a tenant in a batch of feedback; of a delivery, mostly over open connections."""

    feedback_event_cpu_s: float
    feedback_tenant_cpu_s: float
    delivery_cpu_s: float


@cache
def unit_costs() -> UnitCosts:
    """Measured once a process: what the simulations reckon with."""
    tenants, count, each_once = 100, 4_000, 2_000
    with World(tenants) as world:
        seed(world, tenants)
        fed = feed(world, list(workload.events(count, tenants=tenants, skewed=True)))
        posted = deliver(world, fed.messages, latency=0.0, whole=True)
        alone = (
            feed(world, list(workload.events(count, tenants=1)), warming=list(workload.events_in_turn(1))).stage.cpu_s
            / count
        )
        seed(world, each_once)
        in_turn = list(workload.events_in_turn(each_once))
        jitter = feed(world, in_turn, warming=in_turn).stage.cpu_s / each_once
    return UnitCosts(
        feedback_event_cpu_s=alone,
        feedback_tenant_cpu_s=max(0.0, jitter - alone),
        delivery_cpu_s=posted.stage.cpu_s / count,
    )
