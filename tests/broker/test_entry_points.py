"""The three functions on fakes: what of an event becomes a request, and what is counted and returned."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from lambdas.broker import handler
from lambdas.broker.composition import clock
from lambdas.broker.observability import Observability
from lambdas.broker.osb.requests import Request, Response
from tests.broker.test_on_moto import Context
from tests.broker.world import settings

NOW = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)
EVENT: dict[str, Any] = {
    "rawPath": "/v2/catalog",
    "requestContext": {"http": {"method": "PUT"}, "stage": "$default"},
    "headers": {"X-Broker-Api-Version": "2.17"},
    "queryStringParameters": {"a": "b"},
    "body": "{}",
}
REST: dict[str, Any] = {
    "httpMethod": "GET",
    "path": "/v2/catalog",
    "requestContext": {"stage": "broker", "path": "/broker/v2/catalog"},
    "headers": None,
    "queryStringParameters": None,
    "body": None,
}


class Parts:
    """In place of what the functions call."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.failing = ""

    def answer(self, request: Request, *, now: datetime) -> Response:
        self.asked.append((request, now))
        handler.metrics.add_metric(name="BrokerAnswers", unit="Count", value=1)
        return Response(status=418, body={"a": "\u00e4"}, headers={"Retry-After": "10"})

    def run_step(self, message: Any, *, owner: str) -> None:
        self.asked.append((message.instance_id, message.operation_id, owner))
        if message.instance_id == self.failing:
            raise ConnectionError

    def run(self, *, now: datetime) -> None:
        self.asked.append(now)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, float]]:
    """The metrics that are added."""
    added: list[tuple[str, str, float]] = []
    add = handler.metrics.add_metric

    def record(*, name: str, unit: Any, value: float) -> None:
        added.append((name, getattr(unit, "value", unit), value))
        add(name=name, unit=unit, value=value)

    monkeypatch.setattr(handler.metrics, "add_metric", record)
    return added


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Parts:
    """The functions on fakes, at a fixed time."""
    found = Parts()
    for name in ("_api", "_engine", "_cleanup"):
        monkeypatch.setattr(handler, name, lambda: found)
    monkeypatch.setattr(handler, "clock", lambda: NOW)
    return found


def request(event: dict[str, Any], parts: Parts) -> Request:
    handler.handler(event, Context())
    [(asked, now)] = parts.asked
    assert now == NOW
    return asked  # type: ignore[no-any-return]


def test_an_event_of_the_http_api_is_a_request(parts: Parts) -> None:
    """Header names in lower case."""
    assert request(EVENT, parts) == Request(
        method="PUT",
        path="/v2/catalog",
        query={"a": "b"},
        headers={"x-broker-api-version": "2.17"},
        body=b"{}",
    )


def test_an_event_of_the_rest_api_is_a_request(parts: Parts) -> None:
    """What it leaves out is empty; its path is without the stage."""
    assert request(REST, parts) == Request(method="GET", path="/v2/catalog", query={}, headers={}, body=b"")


@pytest.mark.parametrize(
    ("changes", "body"),
    [
        ({"body": "e30=", "isBase64Encoded": True}, b"{}"),
        ({"body": "e30=", "isBase64Encoded": False}, b"e30="),
        ({"body": "\ud800"}, b"\xed\xa0\x80"),
        ({"body": ""}, b""),
    ],
)
def test_a_body_is_bytes(parts: Parts, changes: dict[str, Any], body: bytes) -> None:
    """Encoded if API Gateway took it for binary."""
    assert request(EVENT | changes, parts).body == body


def test_a_stage_with_a_name_is_not_part_of_the_path(parts: Parts) -> None:
    """HTTP APIs leave it in."""
    context = {"http": {"method": "GET"}, "stage": "prod"}
    assert request(EVENT | {"rawPath": "/prod/v2/catalog", "requestContext": context}, parts).path == "/v2/catalog"


@pytest.mark.usefixtures("parts")
def test_an_answer_is_json_with_its_headers_and_never_kept() -> None:
    """It may hold credentials."""
    answer = handler.handler(EVENT, Context())
    assert json.loads(answer.pop("body")) == {"a": "\u00e4"}
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store", "Retry-After": "10"}
    assert answer == {"statusCode": 418, "headers": headers}


def test_each_message_is_a_step_run_of_its_own(parts: Parts, counted: list[Any]) -> None:
    """One that fails, or that a later release wrote, comes again; a malformed one is dropped, and counted."""
    parts.failing = "i2"
    bodies = [
        '{"instance_id": "i1", "operation_id": "o1"}',
        "no JSON",
        '{"schema":99,"task":{"instance_id":"i9"}}',
        '{"instance_id": "i2", "operation_id": "o2"}',
        '{"instance_id": "i3", "operation_id": "o3"}',
    ]
    records = [{"messageId": f"m{number}", "body": body} for number, body in enumerate(bodies)]
    answer = handler.worker({"Records": records}, Context(aws_request_id="r"))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m2"}, {"itemIdentifier": "m3"}]}
    assert parts.asked == [("i1", "o1", "r/0"), ("i2", "o2", "r/3"), ("i3", "o3", "r/4")]
    assert counted == [("StepRuns", "Count", 5), ("OperationMessagesDropped", "Count", 1)]


def test_a_sweep_is_counted(parts: Parts, counted: list[Any]) -> None:
    """An alarm looks for it."""
    assert handler.cleanup({}, Context()) is None
    assert (parts.asked, counted) == ([NOW], [("CleanupRuns", "Count", 1)])


def test_each_function_has_its_part_of_the_broker_and_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made once, from the environment."""
    made: list[Any] = []

    def compose(*args: Any, **kwargs: Any) -> Any:
        made.append((args[0], kwargs))
        return SimpleNamespace(
            api=lambda log: ("api", log), engine=lambda log: ("engine", log), cleanup=lambda *logs: ("cleanup", *logs)
        )

    monkeypatch.setattr(handler, "compose", compose)
    for name, value in settings().to_environment().items():
        monkeypatch.setenv(name, value)
    caches: tuple[Any, ...] = (
        handler._composition,
        handler._observability,
        handler._api,
        handler._engine,
        handler._cleanup,
    )
    for cached in caches:
        cached.cache_clear()
    try:
        parts: list[Any] = [handler._api(), handler._engine(), handler._cleanup()]
        log = handler._observability()
        assert isinstance(log, Observability)
        assert parts == [
            ("api", log.answered),
            ("engine", log.operation),
            ("cleanup", log.cleaned_up, log.operations_waiting),
        ]
        assert made == [(settings(), {"clock": clock})]
    finally:
        for cached in caches:
            cached.cache_clear()
