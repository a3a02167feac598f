"""The key that signs the portal's sessions: read now and then, replaced without ending sessions."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock

import boto3
import pytest
from moto import mock_aws

from lambdas.aws.secrets_manager.signing_key import KEPT_FOR, SigningKeys

NOW = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)


@pytest.fixture
def secrets() -> Iterator[Any]:
    """Secrets Manager with the key that the deploy made, behind a spy."""
    with mock_aws():
        client = boto3.client("secretsmanager", region_name="us-east-1")
        client.create_secret(Name="key", SecretString=json.dumps({"key": "first"}))
        yield Mock(wraps=client)


def test_the_deploy_s_key_signs_alone(secrets: Any) -> None:
    """There is no key before it."""
    assert SigningKeys(secrets, "key").current(now=NOW) == ["first"]


def test_after_a_replacement_the_new_key_signs_and_the_old_one_is_accepted(secrets: Any) -> None:
    """The last one signs."""
    secrets.put_secret_value(SecretId="key", SecretString=json.dumps({"key": "second", "previous_key": "first"}))
    assert SigningKeys(secrets, "key").current(now=NOW) == ["first", "second"]


def test_the_keys_are_read_again_after_five_minutes(secrets: Any) -> None:
    """A removed key is accepted no longer than that; until then no request asks Secrets Manager."""
    keys = SigningKeys(secrets, "key")
    keys.current(now=NOW)
    secrets.put_secret_value(SecretId="key", SecretString=json.dumps({"key": "second"}))
    assert keys.current(now=NOW + KEPT_FOR - timedelta(microseconds=1)) == ["first"]
    assert secrets.get_secret_value.call_count == 1
    assert keys.current(now=NOW + KEPT_FOR) == ["second"]
    assert keys.current(now=NOW + KEPT_FOR + KEPT_FOR / 2) == ["second"]
    assert secrets.get_secret_value.call_count == 2
