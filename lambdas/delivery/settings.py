"""Settings of the delivery functions (delivery and release)."""

from dataclasses import dataclass

from lambdas.domain.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySettings(Settings):
    """Names, address rules and periods of delivery."""

    webhooks_table: str
    backlog_table: str
    deliveries_queue_url: str
    slow_deliveries_queue_url: str
    partition: str
    region: str
    account: str

    allowed_cidrs: str  # comma-separated: networks that webhooks may reach beside public addresses; empty: none
    allow_http: bool  # plain HTTP webhooks, for local use only
    private_ca_file: str  # PEM file in the bundle, relative to its root, trusted beside the public ones; empty: none

    attempt_seconds: int  # that an attempt may take in all, s; 15 in production
    retry_seconds: str  # comma-separated waits after each failed attempt, s
    probe_seconds: str  # comma-separated waits between probes of a failing webhook, s; the last repeats
    failing_seconds: int  # how long failures must go on before a webhook counts as failing, s; 30 in production
    disabled_seconds: int  # how long a webhook may be failing before it is disabled, s; five days in production
    release_seconds: int  # how often parked deliveries are looked at, s; below 60 a run of release does several rounds

    portal_url: str = ""  # the portal's address, for notifications; empty: there is none
