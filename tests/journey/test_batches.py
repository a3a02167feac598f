"""Several events in one request, through the deployed stack: `notification_batch` at bind and at an update."""

from typing import Any

import pytest

from local.tenant.receiver import Received, Receiver
from tests.journey.conftest import Ops, Stack

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journey")]


def events(requests: list[Received], kind: str = "email.delivered") -> list[dict[str, Any]]:
    """The events of a kind that requests carried."""
    return [event for request in requests for event in request.event["data"] if event["type"] == kind]


def arrived(receiver: Receiver) -> set[str]:
    """The subjects of the mails whose deliveries were accepted."""
    return {event["data"]["mail"]["subject"] for event in events(receiver.received())}


def size(request: Received) -> int:
    """How many events a request carried."""
    return len(request.event["data"])


def test_events_come_several_in_a_signed_request_are_halved_if_refused_and_can_be_replayed(
    stack: Stack, ops: Ops, receiver: Receiver
) -> None:
    """Each event with its own id, whichever batch carries it; without batches again after an update."""
    tenant = stack.tenant(receiver.url(), bind={"notification_batch": 10, "notification_batch_seconds": 4})
    [test] = receiver.wait_for(kind="batch")
    assert [event["type"] for event in test.event["data"]] == ["webhook.test"]
    receiver.answer(lambda request: 413 if size(request) > 1 else 204)
    subjects = {f"Mail {number}" for number in range(20)}

    for subject in sorted(subjects):
        tenant.mailbox.send("success@shop.example", subject=subject)
    stack.eventually(lambda: arrived(receiver), lambda found: found == subjects)

    refused = [request for request in receiver.received(ok=False) if request.status == 413]
    ids = {event["id"] for event in events(receiver.received())}
    assert refused
    assert {event["id"] for event in events(refused)} <= ids
    assert len(ids) == len(subjects)
    (step, *_) = ops("trace", refused[0].id)["steps"]
    assert f"a batch of {size(refused[0])}: " in step["details"]

    receiver.answer(204)
    ops("replay", "--binding", tenant.binding_id, "--since", "5m")
    stack.eventually(lambda: len(events(receiver.received())), lambda count: count >= 2 * len(subjects))

    requests = receiver.received(ok=False)
    assert {event["id"] for event in events(requests)} == ids
    assert max(size(request) for request in requests if request.status == 204) > 1
    assert max(map(size, requests)) <= 10
    assert all(request.type == "batch" and request.is_signed_with(tenant.secret) for request in requests)

    stack.broker.update(tenant.instance_id, {"bindings": {tenant.binding_id: {"notification_batch": 1}}})
    receiver.wait_for(kind="webhook.test")  # comes once delivery no longer knows the webhook as it was
    tenant.mailbox.send("success@shop.example", subject="Alone")
    [alone] = receiver.wait_for(kind="email.delivered")
    assert alone.event["data"]["mail"]["subject"] == "Alone"
