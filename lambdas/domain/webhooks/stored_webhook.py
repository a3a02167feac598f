"""A webhook as the broker reads it: its settings, the bindings that share it, and its last test."""

from dataclasses import dataclass

from lambdas.domain.tenants.instance import WebhookSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredWebhook:
    """A stored webhook. `bindings` are the ids of those that share it.

    `test_status` and `test_at` (ISO 8601) are the result of its last webhook.test, None before the first.
    """

    settings: WebhookSettings
    bindings: tuple[str, ...]
    test_status: str | None
    test_at: str | None
