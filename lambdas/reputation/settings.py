"""What the reputation functions must be told."""

from dataclasses import dataclass

from lambdas.domain.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ReputationSettings(Settings):
    """Names of what the reputation functions read, write and tell."""

    reputation_table: str
    webhooks_table: str
    pacer_table: str
    deliveries_queue_url: str
    operator_topic_arn: str
