"""A webhook as delivery sees it."""

from dataclasses import dataclass, field
from datetime import datetime

from lambdas.domain.webhooks.health import Health
from lambdas.domain.webhooks.webhook import NotificationFormat, WebhookId


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where deliveries go, which secrets sign them, and the webhook's health.

    `url` has no userinfo. If `format` is EMAIL, `url` is the ARN of a topic and `ciphertext` is empty.
    `batch` is the most events of a POST; above 1 every POST is a batch. `batch_seconds`: how long events are gathered.
    """

    instance_id: str
    webhook_id: WebhookId
    url: str
    format: NotificationFormat
    batch: int = 1
    batch_seconds: int = 0
    version: int = 0
    ciphertext: bytes = field(default=b"", repr=False)
    previous_ciphertext: bytes | None = field(default=None, repr=False)
    previous_expires_at: datetime | None = None
    health: Health = field(default_factory=Health)

    def ciphertexts(self, *, now: datetime) -> tuple[bytes, ...]:
        """The ciphertexts of the secrets that sign, the current one first. The previous one signs too until it
        expires.
        """
        if self.previous_ciphertext and self.previous_expires_at and now < self.previous_expires_at:
            return self.ciphertext, self.previous_ciphertext
        return (self.ciphertext,)
