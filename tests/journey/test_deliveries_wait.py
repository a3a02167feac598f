"""Webhooks that fail for long, through the deployed stack and the operator's commands."""

from typing import Any

import pytest

from local.tenant.receiver import Received, Receiver
from local.tenant.tenant import Tenant
from tests.journey.conftest import Ops, Stack

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journey")]


def health(ops: Ops, tenant: Tenant) -> dict[str, Any]:
    """The tenant's webhook as operators see it."""
    (row,) = ops("webhooks", "list", "--instance", tenant.instance_id)
    return dict(row)


def of_type(receiver: Receiver, kind: str) -> list[Received]:
    """All that arrived of a type, repetitions included."""
    return [item for item in receiver.received() if item.type == kind]


@pytest.mark.incident("webhook-down")
def test_a_dead_receivers_events_are_parked_and_all_arrive_when_it_is_back(
    stack: Stack, ops: Ops, receiver: Receiver
) -> None:
    """It is found failing, its events wait in the backlog, a probe finds it well, and what waited follows."""
    tenant = stack.tenant(receiver.url())
    receiver.wait_for(kind="webhook.test")
    receiver.stop()
    for number in range(5):
        tenant.mailbox.send("success@shop.example", subject=f"Mail {number}")
    failing = stack.eventually(lambda: health(ops, tenant), lambda row: row["health"] == "failing")
    for number in range(5, 10):
        tenant.mailbox.send("success@shop.example", subject=f"Mail {number}")
    stack.eventually(lambda: health(ops, tenant), lambda row: row["waiting"] >= 5)

    receiver.start()
    arrived = receiver.wait_for(kind="email.delivered", count=10)

    assert failing["last_failure"] == "connection refused"
    assert {item.event["data"]["mail"]["subject"] for item in arrived} == {f"Mail {number}" for number in range(10)}
    assert all(item.is_signed_with(tenant.secret) for item in arrived)
    stack.eventually(lambda: health(ops, tenant), lambda row: (row["health"], row["waiting"]) == ("healthy", 0))


@pytest.mark.incident("webhook-down")
def test_a_disabled_webhook_keeps_its_events_until_it_is_enabled(stack: Stack, ops: Ops, receiver: Receiver) -> None:
    """410 disables; nothing is sent any more, and nothing lost."""
    tenant = stack.tenant(receiver.url())
    receiver.wait_for(kind="webhook.test")
    receiver.answer(410)
    tenant.mailbox.send("success@shop.example")
    stack.eventually(lambda: health(ops, tenant), lambda row: (row["health"], row["waiting"]) == ("disabled", 1))
    receiver.answer(204)
    tenant.mailbox.send("success@shop.example")
    waiting = stack.eventually(lambda: health(ops, tenant), lambda row: row["waiting"] == 2)

    assert receiver.received() == receiver.wait_for(kind="webhook.test")
    ops("webhooks", "enable", waiting["webhook"])

    assert len({item.id for item in receiver.wait_for(kind="email.delivered", count=2)}) == 2


def test_a_replay_sends_what_was_delivered_again_under_the_same_id(stack: Stack, ops: Ops, receiver: Receiver) -> None:
    """By id, and by time."""
    tenant = stack.tenant(receiver.url())
    tenant.mailbox.send("success@shop.example")
    [delivered] = receiver.wait_for(kind="email.delivered")
    stack.eventually(
        lambda: ops("replay", "--binding", tenant.binding_id, "--since", "5m", "--dry-run"),
        lambda row: row["deliveries"] == 1,
    )

    ops("replay", "--binding", tenant.binding_id, "--id", delivered.id)
    stack.eventually(lambda: of_type(receiver, "email.delivered"), lambda found: len(found) == 2)
    ops("replay", "--binding", tenant.binding_id, "--since", "5m")
    stack.eventually(lambda: of_type(receiver, "email.delivered"), lambda found: len(found) == 3)

    again = of_type(receiver, "email.delivered")
    assert {item.id for item in again} == {delivered.id}
    assert {item.body for item in again} == {delivered.body}
