"""Webhook secrets at rest, as KMS ciphertext.

The plaintext is JSON, {"secret": "whsec_...", "userinfo": "user:password" | null}. The context, {"purpose":
"webhook-secret", "webhook_id": id}, lets a key policy give the delivery function these secrets and no others, and
makes a ciphertext copied to another webhook's item unreadable.
"""

from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from lambdas.aws.kms.encryption import decrypt_json, encrypt_json
from lambdas.domain.ports import Runner
from lambdas.domain.webhooks.signature import WebhookSecret
from lambdas.domain.webhooks.webhook import WebhookId

if TYPE_CHECKING:
    from types_boto3_kms import KMSClient

PURPOSE = "webhook-secret"
CACHED_SECRETS = 20_000  # under 1 KB each: evicting one costs $3 per million deliveries, the memory 20 MB
_decoder = msgspec.json.Decoder(WebhookSecret)


def encryption_context(webhook_id: WebhookId) -> dict[str, str]:
    """The encryption context of a webhook's secret. It is not secret itself: CloudTrail records it."""
    return {"purpose": PURPOSE, "webhook_id": webhook_id}


def encrypt(client: "KMSClient", key_id: str, webhook_id: WebhookId, secret: WebhookSecret) -> bytes:
    """Encrypt *secret* for the webhook's item. Each call returns a different ciphertext. Raises ClientError."""
    return encrypt_json(client, key_id, encryption_context(webhook_id), secret)


def decrypt(client: "KMSClient", webhook_id: WebhookId, ciphertext: bytes) -> WebhookSecret:
    """Decrypt what `encrypt` returned for this webhook. Raises DecryptionFailed, or ClientError if KMS is
    unavailable.
    """
    return decrypt_json(client, encryption_context(webhook_id), ciphertext, _decoder)


class SecretDecrypter:
    """Decrypts secrets, calling KMS once per process and ciphertext.

    A changed secret has another ciphertext, so no cache entry is ever invalid; the least recently used are evicted
    first. *run* makes calls for different webhooks, concurrently where a thread pool's `map` is given.
    """

    def __init__(self, client: "KMSClient", *, size: int = CACHED_SECRETS, run: Runner = map) -> None:
        self._client = client
        self._size = size
        self._run = run
        self._cache: OrderedDict[tuple[WebhookId, bytes], WebhookSecret] = OrderedDict()

    def __call__(self, webhook_id: WebhookId, ciphertext: bytes) -> WebhookSecret:
        """As `decrypt`."""
        key = (webhook_id, ciphertext)
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        return self._keep(key, decrypt(self._client, webhook_id, ciphertext))

    def ahead(self, secrets: Iterable[tuple[WebhookId, bytes]]) -> None:
        """Decrypt several unknown *secrets* together: one after the other, hundreds take seconds.

        Never raises: what cannot be decrypted is found out when it is needed.
        """
        unknown = [key for key in dict.fromkeys(secrets) if key not in self._cache]
        for key, secret in zip(unknown, self._run(self._try, unknown), strict=True):
            if secret:
                self._keep(key, secret)

    def _try(self, key: tuple[WebhookId, bytes]) -> WebhookSecret | None:
        with suppress(Exception):
            return decrypt(self._client, *key)
        return None

    def _keep(self, key: tuple[WebhookId, bytes], secret: WebhookSecret) -> WebhookSecret:
        self._cache[key] = secret
        if len(self._cache) > self._size:
            self._cache.popitem(last=False)
        return secret
