"""What invocations leave that crash: the sweeps and the release make it good."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from lambdas.aws import clients
from lambdas.aws.dynamodb.attribute_values import from_item, to_item
from lambdas.aws.dynamodb.broker.broker_table import BrokerTable
from lambdas.domain.tenants.aws_names import configuration_set, iam_user, notification_topic
from lambdas.domain.tenants.instance import BindingState, Operation, OperationKind
from lambdas.domain.webhooks.health import Health
from lambdas.reputation.composition import compose
from local.recorder import recorded_calls
from local.tenant.receiver import Receiver
from local.tenant.tenant import Tenant
from ops.deployment.osb import BrokerRefused
from ops.deployment.stack import find
from ops.reputation.sending_status import reputation_composition
from tests.journey.conftest import Ops, Stack
from tests.journey.looking import observer_of, publish_history, topics, users

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journey")]
AN_HOUR = timedelta(hours=1)


def test_the_sweep_removes_what_a_crashed_unbind_left_and_wakes_what_stalled(stack: Stack, receiver: Receiver) -> None:
    """The user with its key, the webhook, the topic; then the update whose message was lost."""
    tenant = stack.tenant(receiver.url(), bind={"notification_email": "digests@shop.example"})
    table = BrokerTable(stack.client("dynamodb"), stack.facts["tables"]["broker"])
    odd = f"{tenant.binding_id[:8]}~A"  # an id that IAM cannot carry
    stack.broker.bind(tenant.instance_id, odd)
    then = datetime.now(UTC) - AN_HOUR
    for binding_id in (tenant.binding_id, odd):
        binding = table.binding(tenant.instance_id, binding_id)
        assert binding is not None
        table.save_binding(replace(binding, state=BindingState.LEAVING, busy_until=then))
    instance = table.instance(tenant.instance_id)
    assert instance is not None
    stalled = Operation(
        id="update-stalled", kind=OperationKind.UPDATE, started_at=then, touched_at=then, ses=instance.ses
    )
    table.save_instance(replace(instance, operation=stalled))

    answer = stack.client("lambda").invoke(FunctionName=stack.facts["functions"]["sweep"])

    assert "FunctionError" not in answer

    with pytest.raises(BrokerRefused):
        stack.broker.binding(tenant.instance_id, tenant.binding_id)
    assert users(stack).isdisjoint({iam_user(tenant.binding_id), iam_user(odd)})
    assert notification_topic(tenant.binding_id) not in topics(stack)
    stack.eventually(lambda: table.instance(tenant.instance_id), lambda found: found is not None and not found.busy)


def test_a_webhook_that_a_crash_left_goes_with_its_instance(stack: Stack, receiver: Receiver) -> None:
    """As if the unbind had died before it removed the webhook, and forgotten that it did not."""
    tenant = stack.tenant(receiver.url())
    left = webhook_item(stack, tenant)
    stack.broker.unbind(tenant.instance_id, tenant.binding_id)
    stack.client("dynamodb").put_item(TableName=stack.facts["tables"]["webhooks"], Item=to_item(left))

    stack.broker.deprovision(tenant.instance_id)

    items = map(from_item, stack.client("dynamodb").scan(TableName=stack.facts["tables"]["webhooks"])["Items"])
    assert left["item"] not in {item["item"] for item in items}


def test_the_release_moves_an_unreadable_delivery_aside_and_tells_what_was_not_told(
    stack: Stack, receiver: Receiver
) -> None:
    """A delivery that an older version cannot read; a transition whose invocation crashed before its notification."""
    tenant = stack.tenant(receiver.url())
    receiver.wait_for(kind="webhook.test")
    receiver.stop()
    for _ in range(3):
        tenant.mailbox.send("success@shop.example")
    stack.eventually(lambda: webhook_item(stack, tenant)["health"].get("state"), lambda state: state == "failing")
    stack.eventually(lambda: waiting(stack, tenant), lambda count: count == 3)
    with asleep(stack, "delivery"):  # which would notify as well
        forget_to_notify(stack, tenant)
        stack.eventually(
            lambda: webhook_item(stack, tenant)["health"], lambda health: not health.get("unnotified"), timeout=90
        )

    spoiled = parked(stack, tenant)[0]
    spoil(stack, spoiled)
    stack.eventually(lambda: waiting(stack, tenant), lambda count: count == 3 - spoiled["count"], timeout=90)

    receiver.start()
    receiver.wait_for(kind="email.delivered", count=3 - spoiled["count"])


def test_the_sweep_of_reputation_pauses_what_the_stream_missed(stack: Stack, ops: Ops, receiver: Receiver) -> None:
    """With all that follows from a pause; and it heals a switch that somebody else turned.

    The deployed function checks the slice of instances whose turn it is. So its code runs here, recorded in its name.
    """
    watched, healed = stack.tenant(receiver.url()), stack.tenant(receiver.url("/healed"))
    gone = "0" * 8 + watched.instance_id[8:]
    healed.mailbox.send("success@shop.example")
    stack.eventually(lambda: stack.counters(healed.instance_id)["deliveries"], lambda count: count == 1)
    ops("pause", healed.instance_id, "--reason", "phishing")
    ses = stack.client("sesv2")
    ses.put_configuration_set_sending_options(
        ConfigurationSetName=configuration_set(healed.instance_id), SendingEnabled=True
    )
    _, settings = reputation_composition(find())
    with asleep(stack, "reputation"):
        publish_history(stack, watched, deliveries=500, bounces=40)
        stack.eventually(lambda: stack.counters(watched.instance_id)["bounces"], lambda count: count == 40)
        with recorded_as(stack, "reputation-sweep"):
            parts = compose(settings, clients.Clients())
            parts.statuses.watch(watched.instance_id)
            parts.statuses.watch(gone)
            reconciler = parts.reconciler(observer_of(parts), lambda: 60.0)
            reconciler.reconcile(now=datetime.now(UTC))
            reconciler.check([healed.instance_id], now=datetime.now(UTC))
    assert gone not in parts.statuses.watched()
    assert parts.sending.enabled(watched.instance_id) is False
    assert parts.sending.enabled(healed.instance_id) is False
    receiver.wait_for(kind="reputation.paused")


def parked(stack: Stack, tenant: Tenant) -> list[dict[str, Any]]:
    """The tenant's deliveries in the backlog."""
    items = stack.client("dynamodb").scan(TableName=stack.facts["tables"]["backlog"])["Items"]
    found = map(from_item, items)
    return [one for one in found if tenant.instance_id in one["pk"] and one["sk"].startswith("parked#")]


def waiting(stack: Stack, tenant: Tenant) -> int:
    """How many of the tenant's deliveries are in the backlog; an item holds one or several."""
    return sum(int(item["count"]) for item in parked(stack, tenant))


def spoil(stack: Stack, item: dict[str, Any]) -> None:
    """Make a parked delivery unreadable."""
    stack.client("dynamodb").update_item(
        TableName=stack.facts["tables"]["backlog"],
        Key=to_item({"pk": item["pk"], "sk": item["sk"]}),
        UpdateExpression="SET payload = :spoiled",
        ExpressionAttributeValues=to_item({":spoiled": b"spoiled"}),
    )


def webhook_item(stack: Stack, tenant: Tenant) -> dict[str, Any]:
    """The tenant's webhook as delivery reads it."""
    items = map(from_item, stack.client("dynamodb").scan(TableName=stack.facts["tables"]["webhooks"])["Items"])
    return next(one for one in items if one["instance_id"] == tenant.instance_id and "url" in one)


def forget_to_notify(stack: Stack, tenant: Tenant) -> None:
    """Leave the webhook's last transition as an invocation does that crashed an hour ago, before its notification."""
    item = webhook_item(stack, tenant)
    health = msgspec.convert(item["health"], Health)
    forgotten = replace(health, unnotified=True, since=datetime.now(UTC) - AN_HOUR, record=health.record + 1)
    stack.client("dynamodb").update_item(
        TableName=stack.facts["tables"]["webhooks"],
        Key=to_item({"instance_id": item["instance_id"], "item": item["item"]}),
        UpdateExpression="SET health = :health",
        ExpressionAttributeValues=to_item({":health": msgspec.to_builtins(forgotten, builtin_types=())}),
    )


@contextmanager
def asleep(stack: Stack, function: str) -> Iterator[None]:
    """Neither queues nor streams wake a function."""
    functions = stack.client("lambda")
    found = functions.list_event_source_mappings(FunctionName=stack.facts["functions"][function])
    ids = [mapping["UUID"] for mapping in found["EventSourceMappings"]]
    assert ids
    for uuid in ids:
        functions.update_event_source_mapping(UUID=uuid, Enabled=False)
    try:
        yield
    finally:
        for uuid in ids:
            functions.update_event_source_mapping(UUID=uuid, Enabled=True)


@contextmanager
def recorded_as(stack: Stack, function: str) -> Iterator[None]:
    """Calls of clients made in here are recorded as a function's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_LAMBDA_FUNCTION_NAME", stack.facts["functions"][function])
        for name, value in recorded_calls.plugin(stack.facts.get("calls", "")).items():
            patch.setenv(name, value)
        clients.CLIENTS.forget()
        yield
    clients.CLIENTS.forget()
