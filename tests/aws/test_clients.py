"""How the process's clients are made: how long they wait, how often they try, and where they call."""

import inspect
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from lambdas.aws import clients
from lambdas.aws.clients import Clients, InteractiveClients, LazyClients


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a function in Lambda, with a session of the test's own."""
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    for name in ("AWS_ENDPOINT_URL", "FIPS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setattr(clients, "session", inspect.unwrap(clients.session))


@pytest.mark.parametrize(
    ("made", "attempts", "connect", "read"),
    [
        (lambda: Clients().client("dynamodb"), 4, 3, 10),
        (lambda: Clients().impatient_dynamodb(), 1, 1, 2),
        (lambda: InteractiveClients(Clients()).client("dynamodb"), 2, 1, 4),
        (lambda: LazyClients(Clients()).client("dynamodb"), 4, 3, 10),
    ],
)
def test_how_often_and_how_long_a_client_tries(made: Any, attempts: int, connect: float, read: float) -> None:
    """Below the functions' timeouts; a page waits less, and what may be left out waits least."""
    config = made().meta.config
    assert config.retries == {"mode": "standard", "total_max_attempts": attempts}
    assert (config.connect_timeout, config.read_timeout) == (connect, read)


def test_a_batch_s_calls_share_a_pool_and_a_short_user_agent() -> None:
    """botocore would open ten connections, and describe itself anew in each call."""
    config: Any = Clients().client("sqs").meta.config
    assert config.max_pool_connections == 32
    assert config.user_agent == "ses-feedback"


@pytest.mark.parametrize(
    ("choice", "region", "host"),
    [
        (None, "us-east-1", "https://kms.us-east-1.amazonaws.com"),
        ("on", "us-east-1", "https://kms-fips.us-east-1.amazonaws.com"),
        ("auto", "us-gov-west-1", "https://kms-fips.us-gov-west-1.amazonaws.com"),
        (None, None, "https://kms.eu-central-1.amazonaws.com"),
    ],
)
def test_the_region_and_the_choice_of_fips_endpoints_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, choice: str | None, region: str | None, host: str
) -> None:
    """AWS_REGION before AWS_DEFAULT_REGION, as in other AWS tools."""
    for name, value in (("FIPS", choice), ("AWS_REGION", region)):
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)
    made: Any = Clients().client("kms")
    assert made.meta.endpoint_url == host


def test_no_client_passes_the_header_on_by_which_lambda_stops_chains(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries of a delivery are such a chain."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "delivery")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793;Lineage=a:1|b:15")
    made: Any = Clients().client("sqs")
    headers: list[Any] = []

    def answer(params: Any, **_: object) -> tuple[AWSResponse, dict[str, Any]]:
        headers.append(params["headers"])
        return AWSResponse("", 200, HTTPHeaders(), None), {}

    made.meta.events.register_last("before-call", answer)
    made.list_queues()
    assert "X-Amzn-Trace-Id" not in headers[0]


def test_clients_are_kept_until_they_are_to_be_forgotten() -> None:
    """Credentials and region are read again then."""
    process = Clients()
    first = process.client("sqs")
    assert process.client("sqs") is first
    process.forget()
    assert process.client("sqs") is not first
