"""The secret with the portal's client, as an operator writes it."""

import json
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from lambdas.aws.secrets_manager.oauth_client import BadClientSecret, OAuthClientSecret
from lambdas.domain.portal import OAuthClient


@pytest.fixture(autouse=True)
def aws() -> Iterator[None]:
    """An empty account."""
    with mock_aws():
        yield


def secret_of(content: str) -> OAuthClientSecret:
    """A secret that holds *content*."""
    secrets = boto3.client("secretsmanager", region_name="us-east-1")
    return OAuthClientSecret(secrets, secrets.create_secret(Name="portal-client", SecretString=content)["ARN"])


def test_a_client_is_read_with_whatever_else_the_operator_keeps_there() -> None:
    """And its secret is in no repr."""
    client = secret_of(json.dumps({"client_id": "mail-portal", "client_secret": "canary", "note": 1})).read()
    assert client == OAuthClient(id="mail-portal", secret="canary")
    assert "canary" not in repr(client)


@pytest.mark.parametrize(
    "content",
    [
        "canary",
        "[]",
        "{}",
        '{"client_id": "canary"}',
        '{"client_id": "", "client_secret": "canary"}',
        '{"client_id": "canary", "client_secret": " "}',
        '{"client_id": 1, "client_secret": "canary"}',
    ],
)
def test_a_secret_of_another_form_is_named_with_what_it_must_be(content: str) -> None:
    """The error does not contain its content."""
    with pytest.raises(
        BadClientSecret, match=r"portal-client.* must be a JSON object.*client_id and client_secret"
    ) as bad:
        secret_of(content).read()
    assert "canary" not in str(bad.value)
