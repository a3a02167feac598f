"""Which secrets sign a webhook's deliveries."""

from datetime import UTC, datetime, timedelta

import pytest

from lambdas.domain.webhooks.health import Health
from lambdas.domain.webhooks.target import Target
from lambdas.domain.webhooks.timestamp import rfc3339
from lambdas.domain.webhooks.webhook import NotificationFormat, WebhookId

NOW = datetime(2026, 11, 21, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("previous", "expires_at", "signing"),
    [
        (b"old", NOW + timedelta(seconds=1), (b"new", b"old")),
        (b"old", NOW, (b"new",)),
        (b"old", None, (b"new",)),
        (None, NOW + timedelta(hours=1), (b"new",)),
    ],
)
def test_the_previous_secret_signs_until_it_expires(
    previous: bytes | None, expires_at: datetime | None, signing: tuple[bytes, ...]
) -> None:
    """The current one comes first."""
    target = Target(
        instance_id="i1",
        webhook_id=WebhookId("w1"),
        url="https://app.example.gov/",
        format=NotificationFormat.STANDARD_WEBHOOKS,
        ciphertext=b"new",
        previous_ciphertext=previous,
        previous_expires_at=expires_at,
    )
    assert target.ciphertexts(now=NOW) == signing
    assert "new" not in repr(target)
    assert "old" not in repr(target)
    assert (target.batch, target.batch_seconds, target.version, target.health) == (1, 0, 0, Health())


def test_a_time_is_written_in_utc_with_milliseconds() -> None:
    """RFC 3339."""
    assert rfc3339(datetime(2026, 11, 21, 4, 0, 0, 123_900, tzinfo=UTC)) == "2026-11-21T04:00:00.123Z"
