"""A webhook as delivery sees it."""

from dataclasses import dataclass, field
from datetime import datetime

from lambdas.domain.health import Health
from lambdas.domain.webhook import NotificationFormat, WebhookId


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where deliveries go, what signs them, and how the webhook does.

    `url` has no userinfo, or is the ARN of a topic where `format` is EMAIL; then there is nothing `sealed`.
    """

    instance_id: str
    webhook_id: WebhookId
    url: str
    format: NotificationFormat
    version: int = 0
    sealed: bytes = field(default=b"", repr=False)
    sealed_previous: bytes | None = field(default=None, repr=False)
    sealed_previous_until: datetime | None = None
    health: Health = field(default_factory=Health)

    def seals(self, *, now: datetime) -> tuple[bytes, ...]:
        """The secrets that sign, still sealed, the current one first: the previous one signs too until its end."""
        if self.sealed_previous and self.sealed_previous_until and now < self.sealed_previous_until:
            return self.sealed, self.sealed_previous
        return (self.sealed,)
