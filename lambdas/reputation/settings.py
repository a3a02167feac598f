"""Settings of the reputation functions."""

from dataclasses import dataclass

from lambdas.domain.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ReputationSettings(Settings):
    """Names of what the reputation functions use, and the evaluation rules.

    Rates are shares of one: 0.04 is 4 %. Infra lets the context set every number; the defaults are those that
    docs/decisions gives the figures of.
    """

    reputation_table: str
    webhooks_table: str
    rate_limiter_table: str
    deliveries_queue_url: str
    operator_topic_arn: str
    event_topic_arn: str  # stands as TopicArn in the envelope of the `sns` format
    partition: str
    region: str
    account: str
    window_outcomes: int = 10_000  # the most recent representative volume
    window_days: int = 30  # and no further back than this
    minimum_outcomes: int = 500  # below: no verdict
    minimum_bounces: int = 5  # below: never a pause for bounces
    minimum_complaints: int = 13  # below: never a pause for complaints
    minimum_warning_complaints: int = 4  # below: no warning for complaints
    bounce_warning: float = 0.02
    bounce_pause: float = 0.04
    complaint_warning: float = 0.0004
    complaint_pause: float = 0.0008
    daily_cap: int = 0  # mails of an instance a day; 0: no cap
    portal_url: str = ""  # where the portal is, for the messages; empty: there is none
