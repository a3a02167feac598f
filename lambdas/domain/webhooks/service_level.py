"""The service level of deliveries: 99 % of first attempts begin within 60 seconds after the event arrived.

The operator's alarms and dashboard use it (infra/dashboard.py). An event that waited because of its own receiver
does not count: if a webhook fails, or failed while the event waited, the receiver caused the delay.
"""

from datetime import datetime

from lambdas.domain.webhooks.delivery import Delivery
from lambdas.domain.webhooks.health import Health

TARGET_SECONDS = 60.0
TARGET_SHARE = 0.99  # of first attempts


def first_attempt_seconds(delivery: Delivery, health: Health, *, attempt: int, began: datetime) -> float | None:
    """Seconds from the event's fan-out to its first attempt; None for attempts outside the service level.

    *health* is the webhook's before the attempt; *attempt* is its number, from 1.
    """
    if attempt != 1 or health.failures or (health.since is not None and health.since > delivery.created_at):
        return None
    return max(0.0, (began - delivery.created_at).total_seconds())
