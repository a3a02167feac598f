"""Standard Webhooks signatures and secrets. https://github.com/standard-webhooks/standard-webhooks (spec)"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

SECRET_PREFIX = "whsec_"  # noqa: S105  # no secret, what each begins with
SECRET_BYTES = 32  # the specification allows 24 to 64
_ALLOWED_BYTES = range(24, 65)


class BadSecret(ValueError):
    """Not a valid Standard Webhooks secret. The message never contains it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSecret:
    """What only a webhook's owner and ses-feedback know: the signing secret, and the URL's userinfo
    ("user:password").
    """

    secret: str = field(repr=False)
    userinfo: str | None = field(default=None, repr=False)


def new_secret() -> str:
    """A new secret: `whsec_` and the padded standard base64 of 32 random bytes."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signing_key(secret: str) -> bytes:
    """The key bytes of *secret*, with or without its prefix. Raises BadSecret."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError:  # not base64, or not even ASCII
        raise BadSecret("a webhook secret is base64 behind whsec_") from None
    if len(key) not in _ALLOWED_BYTES:
        raise BadSecret("a webhook secret holds 24 to 64 bytes")
    return key


def signature(key: bytes, *, webhook_id: str, timestamp: int, body: bytes) -> str:
    """One signature: `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`."""
    content = b"%b.%d.%b" % (webhook_id.encode(), timestamp, body)
    return "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()


def signed_headers(keys: Iterable[bytes], *, message_id: str, body: bytes, now: datetime) -> dict[str, str]:
    """The three headers of a message.

    `webhook-timestamp` is the attempt's time, not the event's: receivers refuse a difference of more than five
    minutes. During a rotation there are several *keys*, the current one first, and one signature for each.
    """
    timestamp = int(now.timestamp())
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(
            signature(key, webhook_id=message_id, timestamp=timestamp, body=body) for key in keys
        ),
    }
