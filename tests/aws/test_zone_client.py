"""The operator's zone may be in another account: then a secret has that account's credentials."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import msgspec
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from lambdas.aws import clients
from lambdas.aws.route53.zone_client import zone_client

KEYS = {"aws_access_key_id": "AKIAZONE", "aws_secret_access_key": "zone's"}


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Secrets Manager, in a function with credentials of its own in GovCloud."""
    with mock_aws():
        for name, value in {"ACCESS_KEY_ID": "AKIAOWN", "SECRET_ACCESS_KEY": "own", "REGION": "us-gov-west-1"}.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        forget()
        yield boto3.client("secretsmanager", region_name="us-gov-west-1")
    forget()


def forget() -> None:
    """Drop the clients that the process keeps."""
    clients.session.cache_clear()
    clients.CLIENTS.forget()


def credentials(client: Any) -> tuple[str, str, str | None]:
    """What the client signs with."""
    found = client._request_signer._credentials
    return found.access_key, found.secret_key, found.token


def stored(secrets: Any, **content: str) -> str:
    return str(secrets.create_secret(Name="zone", SecretString=json.dumps(content))["ARN"])


def test_without_a_secret_the_function_s_own_credentials_are_used(secrets: Any) -> None:
    """And no secret is read."""
    client: Any = zone_client(secrets, "")
    assert credentials(client)[0] == "AKIAOWN"


def test_the_secret_s_credentials_sign_for_the_commercial_partition(secrets: Any) -> None:
    """Unless it names a region elsewhere; the zone of a stack in GovCloud is never in GovCloud."""
    client: Any = zone_client(secrets, stored(secrets, **KEYS))
    assert credentials(client) == ("AKIAZONE", "zone's", None)
    assert client.meta.endpoint_url == "https://route53.amazonaws.com"
    assert client.meta.partition == "aws"


def test_a_secret_may_have_a_session_token_and_a_region(secrets: Any) -> None:
    """Of China's partition, for example."""
    arn = stored(secrets, **KEYS, aws_session_token="temporary", region="cn-north-1")
    client: Any = zone_client(secrets, arn)
    assert credentials(client)[2] == "temporary"
    assert client.meta.partition == "aws-cn"


def test_a_secret_that_is_missing_or_incomplete_is_an_error(secrets: Any) -> None:
    """The function's own credentials would change another zone, or none."""
    with pytest.raises(ClientError):
        zone_client(secrets, "none")
    with pytest.raises(msgspec.ValidationError, match="aws_secret_access_key"):
        zone_client(secrets, stored(secrets, aws_access_key_id="AKIAZONE"))
