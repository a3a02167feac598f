"""What the portal shows of a webhook with `notification_batch`."""

import html
from datetime import timedelta

from lambdas.aws.dynamodb.backlog.backlog import Backlog
from lambdas.domain.webhooks.batch import batch_id
from lambdas.domain.webhooks.delivery import DeliveryBatch
from lambdas.domain.webhooks.health import FailedAttempt, Health
from lambdas.domain.webhooks.webhook import WebhookId
from tests.portal.world import World, delivery


def test_the_preview_and_the_test_are_batches(world: World) -> None:
    """What the receiver will get; formats without batches are shown as they are."""
    world.tenant("i1")
    world.webhook("i1", "w1", batch=10, batch_seconds=5)
    text = html.unescape(world.caller("i1").get("/instances/i1/webhooks/w1").text)
    assert "<dt>Events a request</dt><dd>1 to 10, gathered for up to 5 s</dd>" in text
    assert text.count('"type": "batch"') == 1
    assert "application/cloudevents-batch+json" in text
    assert '"Type": "Notification"' in text


def test_a_mail_whose_batch_was_refused_shows_the_answer(world: World) -> None:
    """The failed attempt is the batch's; the mail is one of its events."""
    world.tenant("i1")
    at = world.now - timedelta(hours=1)
    events = tuple(delivery(f"msg_{n}", to=f"user{n}@shop.example", message_id=f"m-{n}", at=at) for n in range(3))
    failed = FailedAttempt(delivery=batch_id(events), type="batch", at=at, reason="503")
    world.webhook("i1", "w1", batch=10, health=Health(attempts=(failed,)))
    batch = DeliveryBatch(instance_id="i1", webhook_id=WebhookId("w1"), attempt=2, deliveries=events, fixed=True)
    Backlog(world.dynamodb, "backlog").park([(batch, world.now + timedelta(hours=1))], now=world.now)

    text = world.caller("i1").post("/instances/i1/mail", {"needle": "user1@shop.example"}).text

    assert "the last attempt: 503" in text
