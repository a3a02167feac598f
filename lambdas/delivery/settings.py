"""What the delivery functions (delivery and release) must be told."""

from dataclasses import dataclass

from lambdas.domain.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySettings(Settings):
    """Names, address rules and periods of delivery."""

    webhooks_table: str
    backlog_table: str
    deliveries_queue_url: str
    allowed_cidrs: str  # comma-separated: networks that webhooks may reach beside public addresses; empty: none
    allow_http: bool  # plain HTTP webhooks, for local use only
    ladder_seconds: str  # comma-separated waits after each failed attempt, s
    probe_seconds: str  # comma-separated waits between probes of a failing webhook, s; the last repeats
