"""From a tenant's mail to its webhook, through the deployed stack."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambdas.domain.tenants.aws_names import configuration_set
from local.emulator.publishing import told_of
from local.tenant.receiver import Receiver
from tests.events import delivery
from tests.journey.conftest import Stack

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journey")]


def test_a_mail_bounces_and_a_signed_webhook_arrives(stack: Stack, receiver: Receiver) -> None:
    """Provision, bind, send by the API with the bound key; the webhook says who sent, to whom, and why it bounced."""
    tenant = stack.tenant(receiver.url())
    message_id = tenant.mailbox.send("bounce@shop.example", subject="Your order")

    [bounced] = receiver.wait_for(kind="email.bounced")

    assert bounced.is_signed_with(tenant.secret)
    data = bounced.event["data"]
    assert (data["instance_id"], data["binding_id"]) == (tenant.instance_id, tenant.binding_id)
    assert data["message_id"] == message_id
    assert data["mail"]["subject"] == "Your order"
    assert data["recipients"][0]["email"] == "bounce@shop.example"
    assert data["bounce"] == {"class": "permanent", "subtype": "General", "counts": True}
    assert stack.eventually(lambda: stack.counters(tenant.instance_id), lambda counted: counted["bounces"] == 1) == {
        "deliveries": 0,
        "bounces": 1,
        "complaints": 0,
    }


def test_a_mail_by_smtp_is_delivered_and_complained_of(stack: Stack, receiver: Receiver) -> None:
    """The bound SMTP credentials work as they are; the identity's own configuration set is used."""
    tenant = stack.tenant(receiver.url())
    message_id = tenant.mailbox.send_by_smtp("complaint@shop.example")

    [complained] = receiver.wait_for(kind="email.complained")
    [delivered] = receiver.wait_for(kind="email.delivered")

    assert complained.is_signed_with(tenant.secret)
    assert delivered.is_signed_with(tenant.secret)
    assert {item.event["data"]["message_id"] for item in (complained, delivered)} == {message_id}
    assert complained.event["data"]["binding_id"] == tenant.binding_id
    stack.eventually(
        lambda: stack.counters(tenant.instance_id),
        lambda counted: counted == {"deliveries": 1, "bounces": 0, "complaints": 1},
    )


def test_a_receiver_that_was_stopped_gets_everything_later_under_the_same_ids(stack: Stack, receiver: Receiver) -> None:
    """Refused first, then delivered: the webhook-id of the retry is that of the first attempt."""
    tenant = stack.tenant(receiver.url())
    receiver.wait_for(kind="webhook.test")
    receiver.answer(503)
    tenant.mailbox.send("bounce@shop.example")
    refused = receiver.wait_for(kind="email.bounced", ok=False)
    receiver.stop()
    tenant.mailbox.send("complaint@shop.example")
    receiver.answer(204)
    receiver.start()

    [bounced] = receiver.wait_for(kind="email.bounced")
    [complained] = receiver.wait_for(kind="email.complained")

    assert bounced.id == refused[0].id
    assert bounced.body == refused[0].body
    assert int(bounced.headers["webhook-timestamp"]) >= int(refused[0].headers["webhook-timestamp"])
    assert bounced.is_signed_with(tenant.secret)
    assert complained.is_signed_with(tenant.secret)


@pytest.mark.parametrize(
    ("message", "metric"),
    [
        ("Successfully validated SNS topic for Amazon SES event publishing.", "ControlMessages"),
        ('{"eventType": "Bounce", "bounce": ', "InvalidMessages"),
        ("[1, 2, 3]", "InvalidMessages"),
        ('{"eventType": "Novelty", "mail": {"messageId": "1"}}', "UnknownMessages"),
        ('{"eventType": "Send", "mail": {"messageId": "1", "tags": {}}, "send": {}}', "EventsUnattributed"),
    ],
    ids=["plain text", "cut JSON", "no object", "an unknown event", "no configuration set"],
)
def test_what_is_no_event_of_ours_is_acknowledged_and_counted(stack: Stack, message: str, metric: str) -> None:
    """It leaves the queue, shows in a metric, and never reaches a dead-letter queue."""
    before = measured(stack, metric)
    stack.publish(message)

    stack.eventually(lambda: measured(stack, metric), lambda now: now > before)
    assert_acknowledged(stack)


def test_an_event_of_an_instance_that_is_gone_is_acknowledged(stack: Stack, new_id: str) -> None:
    """Nobody to tell, nothing to count, nothing to loop."""
    before = measured(stack, "EventsOfDeletedInstances")
    stack.publish(a_bounce("gone"), instance_id=new_id)

    stack.eventually(lambda: measured(stack, "EventsOfDeletedInstances"), lambda now: now > before)
    assert_acknowledged(stack)


def test_two_instances_do_not_see_each_others_events(stack: Stack, receiver: Receiver) -> None:
    """Each webhook hears its own instance only, and each instance counts its own only."""
    one, other = stack.tenant(receiver.url("/one")), stack.tenant(receiver.url("/other"))
    one.mailbox.send("bounce@shop.example")
    other.mailbox.send("complaint@shop.example")

    [bounced] = receiver.wait_for("/one", kind="email.bounced")
    [complained] = receiver.wait_for("/other", kind="email.complained")

    assert bounced.is_signed_with(one.secret)
    assert not bounced.is_signed_with(other.secret)
    assert complained.event["data"]["instance_id"] == other.instance_id
    ours = {item.event["data"]["instance_id"] for item in receiver.received("/one")}
    assert ours == {one.instance_id}
    stack.eventually(lambda: stack.counters(other.instance_id)["complaints"], lambda count: count == 1)
    assert stack.counters(one.instance_id)["complaints"] == 0


def test_an_event_told_twice_counts_once_and_keeps_its_id(stack: Stack, receiver: Receiver) -> None:
    """SES promises at least once, and so do we: the second time is told again, under the same id."""
    tenant = stack.tenant(receiver.url())
    event = a_bounce("twice")
    stack.publish(event, instance_id=tenant.instance_id)
    receiver.wait_for(kind="email.bounced")
    stack.publish(event, instance_id=tenant.instance_id)

    got = stack.eventually(receiver.received, lambda got: kinds(got).count("email.bounced") == 2)

    assert len({item.id for item in got if item.type == "email.bounced"}) == 1
    assert stack.counters(tenant.instance_id)["bounces"] == 1


def kinds(received: list[Any]) -> list[str]:
    """The types of what was received."""
    return [item.type for item in received]


def measured(stack: Stack, metric: str) -> float:
    """The sum of a metric of the feedback function."""
    return float(sum(sum(line.get(metric, ())) for line in stack.log("feedback")))


def assert_acknowledged(stack: Stack) -> None:
    """The events queue drains, and its dead-letter queues stay empty."""
    stack.eventually(lambda: stack.waiting("events"), lambda count: count == 0)
    assert stack.waiting("events_dlq") == 0
    assert stack.waiting("subscription_dlq") == 0


def a_bounce(number: str) -> str:
    """A hard bounce's text, of a mail through nobody's configuration set yet."""
    return json.dumps(
        {
            "eventType": "Bounce",
            "bounce": {
                "feedbackId": f"0100019aa0000000-{number}",
                "bounceType": "Permanent",
                "bounceSubType": "General",
                "bouncedRecipients": [{"emailAddress": "bounce@shop.example", "status": "5.1.1"}],
                "timestamp": "2026-11-21T04:00:00.123Z",
            },
            "mail": {
                "timestamp": "2026-11-21T03:59:59.000Z",
                "source": "app@shop.example",
                "messageId": f"0100019aa0000000-{number}",
                "destination": ["bounce@shop.example"],
                "tags": {"ses:configuration-set": [configuration_set("nobody")]},
            },
        }
    )


def test_deliveries_of_several_counters_are_added_in_one_call(stack: Stack, receiver: Receiver) -> None:
    """A function that knows the counters of a batch adds to all of them together; SQS decides what is a batch."""
    tenant = stack.tenant(receiver.url())
    now = datetime.now(UTC)
    hours = [delivery(timestamp=(now - timedelta(hours=late)).isoformat(), message_id=f"m-{late}") for late in range(3)]
    records = [
        {"messageId": str(n), "body": told_of(json.dumps(hour), tenant.instance_id)} for n, hour in enumerate(hours)
    ]
    payload = json.dumps({"Records": records})
    for _ in range(4):
        answer = stack.client("lambda").invoke(FunctionName=stack.facts["functions"]["feedback"], Payload=payload)
        assert json.load(answer["Payload"]) == {"batchItemFailures": []}
    assert stack.counters(tenant.instance_id)["deliveries"] == 12
