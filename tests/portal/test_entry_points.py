"""The portal's two functions on fakes: what becomes a request, what is logged and counted, what comes back."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from lambdas.portal import handler
from lambdas.portal.http import Request, Response
from tests.portal.test_composition import settings
from tests.portal.world import Context, event_of


class Parts:
    """In place of what the functions call."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.more = {"w1": True, "w2": False}
        self.time_left: list[bool] = []
        self.sent: list[Any] = []

    def answer(self, request: Request, *, now: datetime) -> Response:
        self.asked.append((request, now))
        handler._log("home", "", Response(), None)
        return Response(status=418, body="page")

    def run(self, instance: str, webhook: str, replay: str, *, time_left: Any, clock: Any) -> bool:
        self.asked.append((instance, webhook, replay))
        self.time_left.append(time_left())
        assert abs(clock() - datetime.now(UTC)).total_seconds() < 60
        return self.more[webhook]

    def client(self, name: str) -> Any:
        assert name == "sqs"
        return self

    def send_message(self, **call: Any) -> None:
        self.sent.append(call)


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Parts:
    """The functions on fakes."""
    found = Parts()
    monkeypatch.setattr(handler, "_portal", lambda: found)
    monkeypatch.setattr(handler, "_replayer", lambda: found)
    monkeypatch.setattr(handler, "_settings", settings)
    monkeypatch.setattr(handler, "CLIENTS", found)
    return found


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Metrics that are added, and lines that are logged."""
    found: list[Any] = []
    add = handler.metrics.add_metric

    def record(*, name: str, unit: Any, value: float) -> None:
        found.append((name, unit.value, value))
        add(name=name, unit=unit, value=value)

    monkeypatch.setattr(handler.metrics, "add_metric", record)
    for level in ("info", "error", "exception"):
        monkeypatch.setattr(
            handler.logger,
            level,
            lambda text, level=level, extra=None, exc_info=None: found.append((level, text, extra, exc_info)),
        )
    return found


def test_a_request_is_answered_now_under_the_portal_s_own_address(parts: Parts, told: list[Any]) -> None:
    """And written as the HTTP API takes it."""
    answer = handler.handler(event_of("GET", "/x?a=b", {}, b""), Context())
    assert (answer["statusCode"], answer["body"]) == (418, "page")
    [(request, now)] = parts.asked
    assert (request.method, request.path, request.query) == ("GET", "/x", {"a": "b"})
    assert request.origin == "https://portal.agency.gov"
    assert abs(now - datetime.now(UTC)).total_seconds() < 60
    assert now.tzinfo is UTC
    assert [one[0] for one in told] == ["info", "PortalAnswers"]


@pytest.mark.parametrize(("status", "metric"), [(200, "PortalAnswers"), (499, "PortalAnswers"), (500, "PortalFaults")])
def test_an_answer_is_logged_by_names_and_counted(told: list[Any], status: int, metric: str) -> None:
    """No address, no path."""
    handler._log("page", "i1", Response(status=status), None)
    facts = {"route": "page", "instance_id": "i1", "status": status}
    assert told == [("info", "request answered", facts, None), (metric, "Count", 1)]
    handler.metrics.clear_metrics()


def test_a_fault_is_logged_with_its_traceback(told: list[Any]) -> None:
    """It is ours."""
    fault = KeyError("x")
    handler._log("page", "i1", Response(status=500), fault)
    facts = {"route": "page", "instance_id": "i1", "status": 500}
    assert told == [("error", "request failed", facts, fault), ("PortalFaults", "Count", 1)]
    handler.metrics.clear_metrics()


def step(webhook: str, **more: Any) -> dict[str, str]:
    body = {"instance_id": "i1", "webhook_id": webhook, "replay_id": "r1", **more}
    return {"messageId": f"m-{webhook}", "body": json.dumps(body)}


def test_a_replay_goes_on_with_another_message_until_it_has_ended(parts: Parts, told: list[Any]) -> None:
    """A step that fails comes back; the others do not."""
    records = [step("w1"), {"messageId": "m-x", "body": "no JSON"}, step("w3"), step("w2")]
    answer = handler.replay({"Records": records}, Context())
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m-x"}, {"itemIdentifier": "m-w3"}]}
    assert parts.asked == [("i1", "w1", "r1"), ("i1", "w3", "r1"), ("i1", "w2", "r1")]
    [message] = parts.sent
    assert message["QueueUrl"] == "https://sqs/replays"
    assert "w1" in message["MessageBody"]
    ids = {"instance_id": "i1", "replay": "r1"}
    assert [one for one in told if one[0] in ("info", "ReplaySteps")] == [
        ("info", "replay went on", ids | {"webhook_id": "w1"}, None),
        ("ReplaySteps", "Count", 1),
        ("info", "replay ended", ids | {"webhook_id": "w2"}, None),
        ("ReplaySteps", "Count", 1),
    ]
    assert [one[0] for one in told].count("exception") == 2


@pytest.mark.parametrize(("left", "goes_on"), [(20_001, True), (20_000, False)])
def test_a_step_is_begun_while_there_are_twenty_seconds(
    parts: Parts, told: list[Any], monkeypatch: pytest.MonkeyPatch, left: int, goes_on: bool
) -> None:
    """The one under way must end."""
    monkeypatch.setattr(Context, "get_remaining_time_in_millis", staticmethod(lambda: left))
    handler.replay({"Records": [step("w2")]}, Context())
    assert parts.time_left == [goes_on]
    assert told
