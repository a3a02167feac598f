"""The portal's client at its OpenID provider, from Secrets Manager: `{"client_id": "...", "client_secret": "..."}`.

An operator writes it. It is read each time it is needed, which is rarely, so that a new one counts at once.
"""

from typing import TYPE_CHECKING

import msgspec

from lambdas.domain.portal import OAuthClient

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient


class BadClientSecret(Exception):
    """The secret does not hold a client. The message names the secret, never its content."""


class _Content(msgspec.Struct, frozen=True):
    client_id: str
    client_secret: str


class OAuthClientSecret:
    """Reads the client."""

    def __init__(self, client: "SecretsManagerClient", secret_arn: str) -> None:
        self._client = client
        self._secret_arn = secret_arn

    def read(self) -> OAuthClient:
        """The client as the secret has it now. Raises BadClientSecret, or ClientError if it cannot be read."""
        answer = self._client.get_secret_value(SecretId=self._secret_arn)
        try:
            found = msgspec.json.decode(answer.get("SecretString", ""), type=_Content)
        except msgspec.DecodeError:
            found = _Content(client_id="", client_secret="")
        if not found.client_id.strip() or not found.client_secret.strip():
            raise BadClientSecret(
                f"the secret {self._secret_arn} must be a JSON object with the texts client_id and client_secret"
            )
        return OAuthClient(id=found.client_id, secret=found.client_secret)
