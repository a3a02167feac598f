"""Settings of the feedback function."""

from dataclasses import dataclass

from lambdas.domain.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackSettings(Settings):
    """Names of what the feedback function reads and writes."""

    webhooks_table: str
    reputation_table: str
    deliveries_queue_url: str
    event_topic_arn: str  # stands as TopicArn in the envelope of the `sns` format
