"""What the functions logged as errors, found where alarms lead."""

import json
from datetime import UTC, datetime

import pytest

from lambdas.aws import clients
from tests.ops.world import Ops, stack_of

LINES = (
    {"level": "INFO", "message": "an ERROR in words", "service": "delivery"},
    {
        "level": "ERROR",
        "message": "deliveries not rescheduled",
        "exception_name": "KmsUnavailable",
        "instance_id": "i1",
        "location": "x:1",
    },
    "2026-11-21T04:00:00Z r-1 Task timed out after 90.10 seconds",
)


@pytest.fixture
def logged(ops: Ops, monkeypatch: pytest.MonkeyPatch) -> Ops:
    """The delivery function's log, in moto."""
    logs = clients.client("logs")
    logs.create_log_group(logGroupName="/logs/delivery")
    logs.create_log_stream(logGroupName="/logs/delivery", logStreamName="s")
    now = int(datetime.now(UTC).timestamp() * 1000)
    texts = [line if isinstance(line, str) else json.dumps(line) for line in LINES]
    events = [{"timestamp": now - 3000 + number, "message": one} for number, one in enumerate(texts)]
    logs.put_log_events(logGroupName="/logs/delivery", logStreamName="s", logEvents=events)  # type: ignore[arg-type]
    monkeypatch.setattr("ops.troubleshooting.function_logs.FunctionLogs._group", "/logs/delivery")
    stack = stack_of("ses-feedback", ops.queues)
    object.__setattr__(stack, "functions", {"delivery": "d"})
    monkeypatch.setattr("ops.deployment.tools.find", lambda _: stack)
    return ops


def test_errors_and_timeouts_are_shown_the_latest_first(logged: Ops) -> None:
    """A word in an informative line is no error."""
    timeout, error = logged.run("errors", "delivery")
    assert "Task timed out" in timeout["message"]
    facts = (error["function"], error["message"], error["exception"], error["details"])
    assert facts == ("delivery", "deliveries not rescheduled", "KmsUnavailable", {"instance_id": "i1"})


def test_errors_of_a_function_that_is_not_there_are_refused(logged: Ops) -> None:
    """With those that are."""
    assert "there is no function nope; there are delivery" in logged.say("errors", "nope", status=1)
    assert "is not a time" in logged.say("errors", "--since", "x", status=1)
