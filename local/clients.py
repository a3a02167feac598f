"""boto3 clients for the embedded AWS, whatever account or proxy the environment names."""

from typing import Any

import botocore.session
from boto3.session import Session
from botocore.config import Config

REGION = "us-east-1"
_NO_PROFILE: dict[str, Any] = {"profile": (None, None, None, None)}  # not the developer's own


class Clients:
    """Creates clients; without a key, a client acts as the account's operator."""

    def __init__(self, endpoint_url: str, region: str = REGION) -> None:
        self.endpoint_url = endpoint_url
        self.region = region
        self._made: dict[tuple[str, str], Any] = {}

    def client(self, service: str, *, key: str = "test", secret: str = "test") -> Any:  # noqa: S107  dummies
        """A client that does not retry, so that refusals are visible. Cached by key."""
        if (service, key) not in self._made:
            self._made[service, key] = self._new(service, key, secret)
        return self._made[service, key]

    def _new(self, service: str, key: str, secret: str) -> Any:
        session: Any = Session(
            botocore_session=botocore.session.Session(session_vars=_NO_PROFILE),
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            region_name=self.region,
        )
        config = Config(retries={"total_max_attempts": 1}, proxies={})
        return session.client(service, endpoint_url=self.endpoint_url, config=config)
