"""The `webhook.test` event that the broker sends to a new webhook."""

from dataclasses import dataclass
from datetime import datetime

from lambdas.domain.ports import DeliverySender
from lambdas.domain.tenants.instance import WebhookSettings
from lambdas.domain.webhooks.delivery import DeliveryBatch
from lambdas.domain.webhooks.payload import render_notice, test_notice
from lambdas.domain.webhooks.webhook import Webhook, WebhookId


@dataclass(frozen=True, slots=True)
class Bound:
    """Whose webhook it is."""

    instance_id: str
    binding_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendTest:
    """Queues a `webhook.test`. *topic_arn* is what the sns format names as its topic."""

    deliveries: DeliverySender
    topic_arn: str

    def __call__(
        self, webhook_id: str, settings: WebhookSettings, *, of: Bound, test_id: str, now: datetime, delay: int = 0
    ) -> None:
        """Queue the test, for delivery after *delay* s.

        The same *test_id* makes the same webhook-id: a repetition is the same message to a receiver.
        """
        webhook = Webhook(id=WebhookId(webhook_id), instance_id=of.instance_id, format=settings.format)
        notice = test_notice(test_id=test_id, instance_id=of.instance_id, binding_id=of.binding_id, now=now)
        delivery = render_notice(notice, webhook, topic_arn=self.topic_arn, now=now)
        batch = DeliveryBatch(instance_id=of.instance_id, webhook_id=webhook.id, attempt=1, deliveries=(delivery,))
        self.deliveries.send([batch], delay=delay)
