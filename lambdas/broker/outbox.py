"""What the broker has delivered to a webhook: its test."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from lambdas.domain.delivery import DeliveryBatch
from lambdas.domain.instance import Binding, WebhookSettings
from lambdas.domain.payload import render_notice, test_notice
from lambdas.domain.webhook import Webhook, WebhookId


class Deliveries(Protocol):
    """The deliveries queue."""

    def send(self, batches: Iterable[DeliveryBatch], *, delay: int = 0) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SendTest:
    """Queues a `webhook.test`. *topic_arn* is what the sns format names as its topic."""

    deliveries: Deliveries
    topic_arn: str

    def __call__(self, binding: Binding, settings: WebhookSettings, *, test_id: str, now: datetime) -> None:
        """The same *test_id* makes the same webhook-id, so that a repetition is told apart by no receiver."""
        webhook = Webhook(
            id=WebhookId(binding.webhook_id),
            instance_id=binding.instance_id,
            events=frozenset(settings.events),
            format=settings.format,
            scope=settings.scope,
            senders=frozenset({binding.id}),
        )
        notice = test_notice(test_id=test_id, instance_id=binding.instance_id, binding_id=binding.id, now=now)
        delivery = render_notice(notice, webhook, topic_arn=self.topic_arn, now=now)
        batch = DeliveryBatch(instance_id=binding.instance_id, webhook_id=webhook.id, attempt=1, deliveries=(delivery,))
        self.deliveries.send([batch])
