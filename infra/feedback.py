"""The feedback function: parses events, counts them, fans them out."""

from aws_cdk import Duration
from constructs import Construct

from infra.foundation import Foundation
from infra.function import Function
from lambdas.feedback.settings import FeedbackSettings

TIMEOUT = Duration.seconds(60)


class Feedback(Construct):
    """`function` may read audiences, count, and send deliveries. It has no access to secrets or the broker's data."""

    def __init__(self, scope: Construct, id: str, base: Foundation) -> None:
        super().__init__(scope, id)
        shared, storage, events, deliveries = base.shared, base.storage, base.events, base.deliveries.queue
        context = shared.context
        self.function = Function(
            self,
            "Feedback",
            shared=shared,
            folder="feedback",
            entry="handler",
            settings=FeedbackSettings(
                webhooks_table=storage.webhooks.table_name,
                reputation_table=storage.reputation.table_name,
                deliveries_queue_url=deliveries.queue_url,
                event_topic_arn=events.topic.topic_arn,
            ),
            timeout=TIMEOUT,
            description="Reads SES events, counts bounces and complaints, makes deliveries.",
        )
        self.function.use_table(storage.webhooks, "BatchGetItem", "Query")
        self.function.use_table(storage.reputation, "PutItem", "UpdateItem", "PartiQLUpdate")
        self.function.send_to(deliveries)
        self.function.consume(
            events.queue,
            size=context.feedback_batch_size,
            window=context.feedback_batch_window_seconds,
            concurrency=context.feedback_concurrency,
        )
