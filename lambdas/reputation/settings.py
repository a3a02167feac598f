"""Settings of the reputation functions."""

from dataclasses import dataclass

from lambdas.domain.reputation.rule_settings import RuleSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ReputationSettings(RuleSettings):
    """Names of what the reputation functions use, beside the evaluation rules."""

    reputation_table: str
    webhooks_table: str
    rate_limiter_table: str
    deliveries_queue_url: str
    operator_topic_arn: str
    event_topic_arn: str  # stands as TopicArn in the envelope of the `sns` format
    partition: str
    region: str
    account: str
    daily_cap: int = 0  # mails of an instance a day; 0: no cap
    portal_url: str = ""  # where the portal is, for the messages; empty: there is none
