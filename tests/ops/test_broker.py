"""The broker's credentials, rotated by commands and judged as the broker judges them."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from lambdas.aws.credentials import Credentials
from ops.broker import app
from ops.stack import Stack

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Iterator[Credentials]:
    """The broker's own judge of passwords, over the same secret as the commands."""
    with mock_aws():
        secrets = boto3.client("secretsmanager", region_name="us-east-1")
        arn = secrets.create_secret(Name="c", SecretString='{"username": "broker", "password": "first"}')["ARN"]
        outputs = {"BrokerUrl": "https://broker.example", "BrokerCredentialsSecretArn": arn}
        stack = Stack(name="ses-feedback", region="us-east-1", outputs=outputs, tables={}, queues={}, functions={})
        monkeypatch.setattr("ops.broker.find", lambda _: stack)
        monkeypatch.setattr("ops.broker._client", lambda: secrets)
        yield Credentials(secrets, arn)


def run(*words: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def test_both_passwords_are_taken_while_rotating_and_one_after(judge: Credentials) -> None:
    run("rotate")
    new = run("show", "--password")["password"]

    assert judge.accept("broker", "first", now=NOON)
    assert judge.accept("broker", new, now=NOON)

    run("retire")
    later = NOON + timedelta(minutes=6)
    assert not judge.accept("broker", "first", now=later)
    assert judge.accept("broker", new, now=later)


@pytest.mark.usefixtures("judge")
def test_the_password_is_shown_only_when_asked_for() -> None:
    assert run("show") == {"url": "https://broker.example", "username": "broker", "rotating": False}


def test_rotating_twice_keeps_the_last_two(judge: Credentials) -> None:
    run("rotate")
    second = run("show", "--password")["password"]
    run("rotate")

    assert run("show")["rotating"]
    assert judge.accept("broker", second, now=NOON)
    assert not judge.accept("broker", "first", now=NOON + timedelta(minutes=6))
