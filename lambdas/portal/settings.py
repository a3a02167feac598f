"""Settings of the portal's functions."""

from dataclasses import dataclass

from lambdas.domain.reputation.rule_settings import RuleSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalSettings(RuleSettings):
    """Names of what the portal reads and writes, how people sign in, and the rules that its pages show.

    An empty string means "none". Rates are shares of one: 0.04 is 4 %.
    """

    sign_in: str  # links, cloud-foundry or oidc
    public_url: str  # the portal's address where it has a name of its own; empty: the API's
    issuer: str  # the OpenID provider; Cloud Foundry's UAA or the operators' own
    client_secret_arn: str  # {"client_id", "client_secret"} at that provider
    cloud_controller_url: str
    operator_claim: str  # of the operators' ID tokens
    operator_value: str  # what that claim must be, or hold
    portal_table: str
    broker_table: str
    webhooks_table: str
    backlog_table: str
    reputation_table: str
    rate_limiter_table: str  # the account's bucket of calls to SES
    deliveries_queue_url: str
    replays_queue_url: str
    signing_secret_arn: str  # of the key that signs session cookies and form tokens
    event_topic_arn: str  # stands as TopicArn in the envelope of the `sns` format
    key_arn: str
    partition: str
    region: str
    account: str
    operator_name: str  # how the pages name the operator of the service
    support_url: str

    confirmation_mails_per_day: int  # to one address, counted together with the broker's

    # whether and when tenants may resume by themselves
    self_resume: bool
    self_resume_hours: int
    self_resume_days: int

    # what a tenant's DNS must hold
    dmarc_policy: str
    dmarc_aggregate_recipients: str  # comma-separated
    ses_calls_per_second: float
