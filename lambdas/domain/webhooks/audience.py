"""The webhooks that an instance's events are fanned out to."""

from dataclasses import dataclass
from datetime import datetime

from lambdas.domain.webhooks.webhook import Webhook


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """The webhooks of an instance. `webhooks` is empty while `enable_feedback_notifications` is false.

    Mail sent before `baseline` does not count. `domain` and `organization` are empty, and `created_at` is None, if an
    earlier version wrote the item. The item of a `deleted` instance is kept as long as its counters, for events still
    in flight.
    """

    instance_id: str
    webhooks: tuple[Webhook, ...]
    baseline: datetime | None
    domain: str = ""
    organization: str = ""
    deleted: bool = False
    created_at: datetime | None = None
    deleted_at: datetime | None = None
