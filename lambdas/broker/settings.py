"""What the broker's functions (API and worker) must be told."""

from dataclasses import dataclass

from lambdas.domain.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings(Settings):
    """Names of what the broker reads, writes and makes."""

    broker_table: str
    webhooks_table: str
    pacer_table: str
    operations_queue_url: str
    deliveries_queue_url: str
    event_topic_arn: str
    key_arn: str  # the stack's KMS key: secrets in tables, alert topics
    credentials_secret_arn: str  # Basic auth: {"username", "password", "previous_password"?}
    permissions_boundary_arn: str  # of every IAM user made
    partition: str
    region: str
    account: str
