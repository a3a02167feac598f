"""The broker's credentials, rotated by commands and judged as the broker judges them."""

import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import httpx
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from lambdas.aws.secrets_manager.broker_credentials import KEPT_FOR, Credentials
from ops.deployment import broker
from ops.deployment.broker import app
from ops.deployment.stack import Stack

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
STEP = timedelta(seconds=1)


class Clock:
    """Time that passes only while a command waits."""

    def __init__(self) -> None:
        self.now = NOON

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    def monotonic(self) -> float:
        """Seconds."""
        return self.now.timestamp()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The commands' time."""
    made = Clock()
    monkeypatch.setattr(broker, "time", made)
    return made


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[Credentials]:
    """The broker's own judge of passwords, over the same secret as the commands, which ask it by HTTP."""
    with mock_aws():
        client = boto3.client("secretsmanager", region_name="us-east-1")
        arn = client.create_secret(Name="c", SecretString='{"username": "broker", "password": "first"}')["ARN"]
        outputs = {"BrokerUrl": "https://broker.example", "BrokerCredentialsSecretArn": arn}
        stack = Stack(name="ses-feedback", region="us-east-1", outputs=outputs, tables={}, queues={}, functions={})
        monkeypatch.setattr("ops.deployment.broker.find", lambda _: stack)
        monkeypatch.setattr("ops.deployment.broker._client", lambda: client)
        credentials = Credentials(client, arn)

        def get(url: str, *, auth: tuple[str, str], headers: dict[str, str], timeout: float) -> httpx.Response:
            assert (url, headers["X-Broker-API-Version"]) == ("https://broker.example/v2/catalog", "2.17")
            return httpx.Response(200 if credentials.accept(*auth, now=clock.now) else 401)

        monkeypatch.setattr("ops.deployment.broker.httpx.get", get)
        yield credentials


def run(*words: str) -> dict[str, Any]:
    """What a command that succeeds answers."""
    result = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def refused(*words: str) -> str:
    """Why a command did nothing."""
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == 1
    assert not result.stdout
    return result.stderr


def password() -> str:
    """The current one."""
    return str(run("show", "--password")["password"])


def test_both_passwords_are_accepted_while_rotating_and_one_after(judge: Credentials, clock: Clock) -> None:
    """Retired, the old one ends everywhere within half a minute, and the command says so only when it has seen it."""
    assert run("rotate") == {"rotating": True, "checked": True}
    new = password()

    assert judge.accept("broker", "first", now=clock.now)
    assert judge.accept("broker", new, now=clock.now)

    assert run("retire") == {"rotating": False, "retired": True}
    assert not judge.accept("broker", "first", now=clock.now)
    assert judge.accept("broker", new, now=clock.now)
    assert clock.now - NOON <= KEPT_FOR + STEP


@pytest.mark.usefixtures("judge")
def test_the_password_is_shown_only_when_asked_for() -> None:
    """And the URL always."""
    assert run("show") == {"url": "https://broker.example", "username": "broker", "rotating": False}


def test_a_second_rotation_is_refused_while_the_platform_may_use_the_previous_password(
    judge: Credentials, clock: Clock
) -> None:
    """It would lock the platform out; nothing is changed, and what to do is said."""
    run("rotate")
    second = password()

    assert "a rotation is under way" in refused("rotate")
    assert "--now" in refused("rotate")

    assert password() == second
    assert judge.accept("broker", "first", now=clock.now)


def test_a_leaked_password_is_replaced_at_once_also_during_a_rotation(judge: Credentials, clock: Clock) -> None:
    """The old ones end before the command says so, and it says that the platform is locked out."""
    run("rotate")
    leaked = password()

    said = CliRunner().invoke(app, ["rotate", "--now"], catch_exceptions=False).stdout

    assert "cannot reach the broker until it is updated" in said
    assert not judge.accept("broker", leaked, now=clock.now)
    assert judge.accept("broker", password(), now=clock.now)
    assert run("show")["rotating"] is False
    assert not judge.accept("broker", "first", now=clock.now + KEPT_FOR)


@pytest.mark.usefixtures("judge")
def test_nothing_is_claimed_that_the_broker_does_not_confirm(monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers 401, not at all, or only to the platform's networks; then the command says that it did not ask."""
    monkeypatch.setattr("ops.deployment.broker.httpx.get", lambda *_, **__: httpx.Response(401))
    assert "rejects a password that must be valid" in refused("rotate")

    def unreachable(*_: object, **__: object) -> None:
        raise httpx.ConnectError("no route")

    monkeypatch.setattr("ops.deployment.broker.httpx.get", unreachable)
    said = CliRunner().invoke(app, ["retire"], catch_exceptions=False)
    assert said.exit_code == 0
    assert "could not be asked from here to confirm it: no route" in said.stdout
    monkeypatch.setattr("ops.deployment.broker.httpx.get", lambda *_, **__: httpx.Response(403))
    assert run("rotate") == {"rotating": True, "checked": False}


@pytest.mark.usefixtures("judge")
def test_retiring_without_a_rotation_changes_nothing() -> None:
    """It can be typed twice."""
    assert run("retire") == {"rotating": False, "retired": False}
    assert password() == "first"


@pytest.mark.parametrize("second", [("rotate",), ("rotate", "--now")])
def test_of_two_rotations_at_the_same_time_one_is_refused_and_the_shown_password_stays_valid(
    second: tuple[str, ...], judge: Credentials, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both read the same secret; the other one writes first. Nobody is told of a password that is not in the secret."""
    make = secrets.token_urlsafe
    other: list[str] = []

    def made(size: int) -> str:
        monkeypatch.setattr("ops.deployment.broker.secrets.token_urlsafe", make)
        run("rotate")
        other.append(password())
        return make(size)

    monkeypatch.setattr("ops.deployment.broker.secrets.token_urlsafe", made)
    assert "somebody else changed the credentials" in refused(*second)

    assert password() == other[0]
    assert judge.accept("broker", "first", now=clock.now)
    assert judge.accept("broker", other[0], now=clock.now)


def test_a_retirement_does_not_undo_a_rotation_that_came_in_between(
    judge: Credentials, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the platform's new password would end with the old one."""
    run("rotate")
    read = broker._read

    def read_then_others_write(stack: Stack) -> object:
        found = read(stack)
        monkeypatch.setattr("ops.deployment.broker._read", read)
        run("rotate", "--now")
        return found

    monkeypatch.setattr("ops.deployment.broker._read", read_then_others_write)
    assert "somebody else changed the credentials" in refused("retire")
    assert judge.accept("broker", password(), now=clock.now)


def test_a_rotation_works_after_the_version_before_was_made_current_by_hand(judge: Credentials) -> None:
    """The abandoned version keeps its id."""
    secret_id, client = judge_secret()
    run("rotate")
    stages = client.describe_secret(SecretId=secret_id)["VersionIdsToStages"]
    at = {stage: version for version, names in stages.items() for stage in names}
    client.update_secret_version_stage(
        SecretId=secret_id,
        VersionStage="AWSCURRENT",
        MoveToVersionId=at["AWSPREVIOUS"],
        RemoveFromVersionId=at["AWSCURRENT"],
    )
    assert run("rotate") == {"rotating": True, "checked": True}


def judge_secret() -> tuple[str, Any]:
    """The secret that the commands of this test change, and a client for it."""
    client: Any = boto3.client("secretsmanager", region_name="us-east-1")
    return client.list_secrets()["SecretList"][0]["ARN"], client
