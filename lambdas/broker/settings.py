"""Settings of the broker's functions (API, worker and cleanup)."""

from dataclasses import dataclass

from lambdas.domain.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings(Settings):
    """Names of the resources that the broker uses, and the operator's choices. An empty string means "none"."""

    broker_table: str
    webhooks_table: str
    rate_limiter_table: str
    reputation_table: str
    operations_queue_url: str
    deliveries_queue_url: str
    event_topic_arn: str
    key_arn: str  # the stack's KMS key: secrets in tables, alert topics
    credentials_secret_arn: str  # Basic auth: {"username", "password", "previous_password"?}
    permissions_boundary_arn: str  # of every IAM user made
    partition: str
    region: str
    account: str

    # what is offered
    display_name: str
    provider_name: str
    documentation_url: str
    support_url: str

    # domains
    operator_zone: str  # DNS name under which domains are generated; empty: none are
    operator_zone_id: str  # its Route 53 hosted zone
    zone_credentials_secret_arn: str  # {"aws_access_key_id", "aws_secret_access_key", "role_arn"?}; empty: our own
    dmarc_policy: str  # none, quarantine or reject
    dmarc_aggregate_recipients: str  # comma-separated addresses that every domain's reports go to as well

    # what tenants reach and are reached by
    fips: str  # auto, on or off: hand out the FIPS SMTP host where the region has one; auto: in GovCloud
    allowed_cidrs: str  # comma-separated: networks that webhooks may name by address beside public ones
    allow_http: bool  # plain HTTP webhooks, for local use only
    ses_calls_per_second: float  # SES's control plane: about one a second and account, not adjustable

    # what one tenant may use
    webhooks_per_instance: int
    bindings_per_instance: int  # twice as many while they are rotated
    instances_per_organization: int
    confirmation_mails_per_day: int  # to one address, from all tenants
    allowed_public_suffixes: str  # comma-separated: public suffixes that may be an instance's domain
    suppression: str  # of new configuration sets: account (SES's list, shared by all tenants) or off

    # the privatelink service; an empty VPC: not offered
    privatelink_vpc_id: str
    privatelink_subnet_ids: str  # comma-separated; empty: every subnet of the VPC in a zone that has the service
    privatelink_cidrs: str  # comma-separated: who may connect; empty: the VPC's own

    cell: str = ""  # of several stacks under one platform, this one's name: its catalog has ids and names of its own
    portal_url: str = ""  # the portal's address; empty: there is none
    dashboard_client_secret_arn: str = ""  # of the portal's client at Cloud Foundry's UAA; empty: it has none there
