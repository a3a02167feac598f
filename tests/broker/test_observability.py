"""What the broker logs and counts of each outcome, in full."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from lambdas.broker.observability import Observability, instance_in
from lambdas.broker.osb.api import originating_user
from lambdas.broker.osb.errors import BadRequest
from lambdas.broker.osb.requests import Request, Response
from lambdas.domain.tenants.instance import (
    Instance,
    InstanceState,
    Operation,
    OperationKind,
    OperationState,
)
from tests.broker.world import START

IDENTITY = {
    "x-broker-api-request-identity": "r" * 201,
    "x-broker-api-originating-identity": "cf eyJ1c2VyX2lkIjogInUxIn0=",
}


@dataclass
class Lines:
    """A logger and a metrics provider that keep what they are given."""

    logged: list[tuple[str, str, dict[str, Any], Any]] = field(default_factory=list)
    counted: dict[str, tuple[str, float]] = field(default_factory=dict)

    def info(self, message: str, *, extra: dict[str, Any]) -> None:
        self.logged.append(("info", message, extra, None))

    def warning(self, message: str, *, extra: dict[str, Any], exc_info: Any) -> None:
        self.logged.append(("warning", message, extra, exc_info))

    def error(self, message: str, *, extra: dict[str, Any], exc_info: Any) -> None:
        self.logged.append(("error", message, extra, exc_info))

    def add_metric(self, *, name: str, unit: Any, value: float) -> None:
        self.counted[name] = (unit.value, value)


@pytest.fixture
def lines() -> Lines:
    """Nothing yet."""
    return Lines()


@pytest.fixture
def log(lines: Lines) -> Observability:
    """Writes to *lines*."""
    return Observability(lines, lines)  # type: ignore[arg-type]


def asked(path: str = "/v2/service_instances/i1/last_operation", **headers: str) -> Request:
    return Request(method="GET", path=path, query={}, headers=headers, body=b"")


def operation(**changes: Any) -> Instance:
    known: dict[str, Any] = {
        "id": "update-1",
        "kind": OperationKind.UPDATE,
        "started_at": START,
        "touched_at": START + timedelta(seconds=90),
        "step": "alerts",
        "failures": 2,
    }
    ended = Operation(**known | changes)
    return Instance(
        id="i1",
        service_id="s",
        plan_id="p",
        organization_guid="o",
        space_guid="s",
        state=InstanceState.READY,
        operation=ended,
    )


def test_an_answer_is_one_line_with_all_facts(log: Observability, lines: Lines) -> None:
    """Who asked for what, and what the platform was told; a platform's text is cut."""
    log.answered(asked(**IDENTITY), Response(status=200, body={}), None)
    facts = {
        "method": "GET",
        "path": "/v2/service_instances/i1/last_operation",
        "instance_id": "i1",
        "status": 200,
        "request_identity": "r" * 200,
        "originator": {"platform": "cf", "user_id": "u1"},
    }
    assert lines.logged == [("info", "request answered", facts, None)]
    assert lines.counted == {"BrokerAnswers": ("Count", 1)}


@pytest.mark.parametrize(
    ("status", "error", "level", "message", "code", "metric"),
    [
        (400, BadRequest("x"), "info", "request answered", "BadRequest", "BrokerRefusals"),
        (499, ValueError("x"), "info", "request answered", "ValueError", "BrokerRefusals"),
        (500, ValueError("x"), "error", "request failed", "ValueError", "BrokerFaults"),
        (503, TimeoutError("x"), "error", "request failed", "TimeoutError", "BrokerFaults"),
    ],
)
def test_refusals_and_faults_are_named_and_counted(
    log: Observability, lines: Lines, status: int, error: Exception, level: str, message: str, code: str, metric: str
) -> None:
    """A fault with its traceback; a refusal is the platform's matter."""
    log.answered(asked("/nothing" + "x" * 300), Response(status=status, body={}), error)
    [(found, words, facts, traceback)] = lines.logged
    assert (found, words, facts["error"], len(facts["path"])) == (level, message, code, 200)
    assert (facts["instance_id"], facts["request_identity"], facts["originator"]) == (None, "", {})
    assert traceback is (error if level == "error" else None)
    assert lines.counted == {metric: ("Count", 1)}


def test_an_operation_s_steps_and_its_end_are_logged(log: Observability, lines: Lines) -> None:
    """The end is counted by its state, with how long it took."""
    facts = {
        "instance_id": "i1",
        "operation": "update-1",
        "phase": "apply",
        "step": "alerts",
        "failures": 2,
        "state": "in progress",
    }
    log.operation("operation refused", operation())
    assert lines.logged.pop() == ("info", "operation refused", facts, None)
    assert lines.counted == {}
    error = ConnectionError()
    log.operation("alerts failed", operation(), error)
    assert lines.logged.pop() == ("warning", "alerts failed", facts, error)
    assert lines.counted == {"OperationStepFailures": ("Count", 1)}
    lines.counted.clear()
    log.operation("update failed", operation(state=OperationState.FAILED))
    assert lines.logged.pop() == ("info", "update failed", facts | {"state": "failed"}, None)
    assert lines.counted == {"OperationsFailed": ("Count", 1), "OperationSeconds": ("Seconds", 90.0)}


def test_a_clock_that_was_set_back_counts_no_negative_time(log: Observability, lines: Lines) -> None:
    """CloudWatch would draw it."""
    log.operation("x", operation(state=OperationState.SUCCEEDED, touched_at=START - timedelta(seconds=5)))
    assert lines.counted == {"OperationsSucceeded": ("Count", 1), "OperationSeconds": ("Seconds", 0.0)}


def test_what_waits_and_what_was_cleaned_up_is_counted(log: Observability, lines: Lines) -> None:
    """Alarms look at these."""
    log.operations_waiting(3, 61.5)
    assert lines.counted == {"OperationsWaiting": ("Count", 3), "OperationsOldestSeconds": ("Seconds", 61.5)}
    assert lines.logged == []
    lines.counted.clear()
    log.cleaned_up("stale binding removed", "b1")
    assert lines.logged.pop() == ("info", "stale binding removed", {"id": "b1"}, None)
    assert lines.counted.popitem() == ("CleanedUp", ("Count", 1))
    error = ConnectionError()
    log.cleaned_up("stale binding not removed", "b1", error)
    assert lines.logged == [("error", "stale binding not removed", {"id": "b1"}, error)]
    assert lines.counted == {"CleanupFailures": ("Count", 1)}


@pytest.mark.parametrize(
    ("path", "instance"),
    [
        ("/v2/service_instances/i1", "i1"),
        ("/v2/service_instances/i1/service_bindings/b1", "i1"),
        ("/v2/service_instances/" + "x" * 201, "x" * 200),
        ("/v2/service_instances/", None),
        ("/v2/service_instances", None),
        ("/v2/catalog/i1", None),
        ("/v3/service_instances/i1", None),
        ("x/v2/service_instances/i1", None),
    ],
)
def test_the_instance_is_the_path_s(path: str, instance: str | None) -> None:
    """So that all lines of an instance are found by its id."""
    assert instance_in(path) == instance


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", {}),
        ("kubernetes", {"platform": "kubernetes"}),
        ("p" * 65, {"platform": "p" * 64}),
        ("cf !!!", {"platform": "cf"}),
        ("cf  eyJ1c2VyX2lkIjogInUxIn0= ", {"platform": "cf", "user_id": "u1"}),
        ("k8s eyJ1c2VybmFtZSI6ICJhbm4ifQ==", {"platform": "k8s", "user_id": "ann"}),
        ("k8s eyJ1aWQiOiAi/yJ9", {"platform": "k8s", "user_id": "\ufffd"}),
        ("cf eyJvdGhlciI6ICJ1MSJ9", {"platform": "cf"}),
    ],
)
def test_who_asked_is_read_as_far_as_it_can_be(header: str, found: dict[str, str]) -> None:
    """The header is the platform's, and may hold anything."""
    assert originating_user(header) == found
