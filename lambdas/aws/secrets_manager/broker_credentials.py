"""The broker's Basic auth credentials, from Secrets Manager: the current ones and, in a rotation, the previous."""

import hmac
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient

KEPT_FOR = timedelta(seconds=30)  # how long a removed password may still be accepted; a read costs $0.05 per 10,000
MAX_EXTRA_READS = 20  # reads that wrong passwords may cause at once: a new password works even after typing errors
EXTRA_READ_EVERY = timedelta(seconds=10)  # one more read is allowed: guessing all day costs 4 cents per process


class Accepted(msgspec.Struct, frozen=True):
    """The secret's content. Written by the deploy; an operator adds `previous_password` while rotating."""

    username: str
    password: str
    previous_password: str | None = None
    previous_username: str | None = None


_decoder = msgspec.json.Decoder(Accepted)


class Credentials:
    """Checks user names and passwords in constant time."""

    def __init__(self, client: "SecretsManagerClient", secret_arn: str) -> None:
        self._client = client
        self._secret_arn = secret_arn
        self._accepted: Accepted | None = None
        self._read_at: datetime | None = None
        self._extra_reads = float(MAX_EXTRA_READS)
        self._extra_reads_at: datetime | None = None

    def accept(self, username: str, password: str, *, now: datetime) -> bool:
        """Whether they are the current or the previous ones. A wrong pair may be new, so the secret is read again."""
        known = self._known(now)
        if known is not None and _matches(known, username, password):
            return True
        if known is not None and not self._may_read_again(now):
            return False
        return _matches(self._read(now), username, password)

    def _known(self, now: datetime) -> Accepted | None:
        """The credentials read within KEPT_FOR."""
        return self._accepted if self._read_at is not None and now - self._read_at < KEPT_FOR else None

    def _read(self, now: datetime) -> Accepted:
        answer = self._client.get_secret_value(SecretId=self._secret_arn)
        self._accepted, self._read_at = _decoder.decode(answer["SecretString"]), now
        return self._accepted

    def _may_read_again(self, now: datetime) -> bool:
        """A token bucket: MAX_EXTRA_READS at once, and one more every EXTRA_READ_EVERY."""
        since = now - (self._extra_reads_at or now)
        self._extra_reads = min(MAX_EXTRA_READS, self._extra_reads + since / EXTRA_READ_EVERY)
        self._extra_reads_at = now
        if self._extra_reads < 1:
            return False
        self._extra_reads -= 1
        return True


def _matches(accepted: Accepted, username: str, password: str) -> bool:
    users = (accepted.username, accepted.previous_username or accepted.username)
    passwords = (accepted.password, accepted.previous_password or accepted.password)
    pairs = zip(users, passwords, strict=True)
    # no short circuit: the time must not reveal which part was wrong
    return True in [_equal(username, user) & _equal(password, word) for user, word in pairs]


def _equal(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), wanted.encode())
