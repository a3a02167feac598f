"""The key that signs the portal's sessions, from Secrets Manager: `{"key": "...", "previous_key": "..."}`.

The deploy makes `key`; an operator who replaces it keeps the old one as `previous_key` until its sessions have ended.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient

KEPT_FOR = timedelta(minutes=5)  # how long a removed key may still be accepted


class _Keys(msgspec.Struct, frozen=True):
    key: str
    previous_key: str = ""


class SigningKeys:
    """Reads the keys, at most every five minutes."""

    def __init__(self, client: "SecretsManagerClient", secret_arn: str) -> None:
        self._client = client
        self._secret_arn = secret_arn
        self._read: tuple[datetime, list[str]] | None = None

    def current(self, *, now: datetime) -> list[str]:
        """The keys that are accepted, oldest first; the last one signs."""
        if self._read is None or now - self._read[0] >= KEPT_FOR:
            answer = self._client.get_secret_value(SecretId=self._secret_arn)
            keys = msgspec.json.decode(answer["SecretString"], type=_Keys)
            self._read = now, [key for key in (keys.previous_key, keys.key) if key]
        return self._read[1]
