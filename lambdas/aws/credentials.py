"""The broker's own Basic auth credentials, from Secrets Manager: the current ones and, in a rotation, the previous."""

import hmac
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient

KEPT_FOR = timedelta(minutes=5)  # how long a removed password may still be taken
REFUSED_FOR = timedelta(seconds=10)  # between two reads caused by wrong passwords, so that guessing costs us nothing


class Accepted(msgspec.Struct, frozen=True):
    """The secret's content. Written by the deploy; an operator adds `previous_password` while rotating."""

    username: str
    password: str
    previous_password: str | None = None
    previous_username: str | None = None


_decoder = msgspec.json.Decoder(Accepted)


class Credentials:
    """Judges user names and passwords in constant time."""

    def __init__(self, client: "SecretsManagerClient", secret_arn: str) -> None:
        self._client = client
        self._secret_arn = secret_arn
        self._accepted: Accepted | None = None
        self._read_at: datetime | None = None

    def accept(self, username: str, password: str, *, now: datetime) -> bool:
        """Whether they are the current or the previous ones. A wrong pair may be a new one: it is looked up once."""
        if _matches(self._current(KEPT_FOR, now), username, password):
            return True
        return _matches(self._current(REFUSED_FOR, now), username, password)

    def _current(self, age: timedelta, now: datetime) -> Accepted:
        if self._accepted is None or self._read_at is None or now - self._read_at >= age:
            answer = self._client.get_secret_value(SecretId=self._secret_arn)
            self._accepted, self._read_at = _decoder.decode(answer["SecretString"]), now
        return self._accepted


def _matches(accepted: Accepted, username: str, password: str) -> bool:
    users = (accepted.username, accepted.previous_username or accepted.username)
    passwords = (accepted.password, accepted.previous_password or accepted.password)
    pairs = zip(users, passwords, strict=True)
    # no short circuit: the time taken says nothing of which part was wrong
    return True in [_equal(username, user) & _equal(password, word) for user, word in pairs]


def _equal(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), wanted.encode())
