"""What the functions logged as errors, found where alarms lead."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lambdas.aws import clients
from ops.deployment.stack import Stack
from ops.troubleshooting.refusals import refused_calls
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


def with_delivery(ops: Ops) -> Stack:
    """The stack, with one function."""
    return replace(stack_of("ses-feedback", ops.queues), functions={"delivery": "d"})


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
    stack = with_delivery(ops)
    monkeypatch.setattr("ops.deployment.tools.find", lambda _: stack)
    return ops


def test_errors_and_timeouts_are_shown_the_latest_first(logged: Ops) -> None:
    """A word in an informative line is no error."""
    timeout, error = logged.run("errors", "delivery")
    assert "Task timed out" in timeout["message"]
    facts = (error["function"], error["message"], error["exception"], error["details"])
    assert facts == ("delivery", "deliveries not rescheduled", "KmsUnavailable", {"instance_id": "i1"})


def test_a_call_that_aws_refused_is_an_error_at_any_level_and_read_with_action_and_resource(logged: Ops) -> None:
    """From our own lines' fields, and from what Lambda logs of an error that nobody caught; each once."""
    fields = {"error_code": "AccessDenied", "action": "ses:CreateConfigurationSet", "resource": "arn:set"}
    warning = {"level": "WARNING", "message": "step failed", **fields}
    uncaught = (
        "[ERROR] ClientError: An error occurred (AuthorizationError) when calling the Publish operation: User: u is "
        "not authorized to perform: SNS:Publish on resource: arn:topic because"
    )
    began = datetime.now(UTC) - timedelta(minutes=1)
    now = int(datetime.now(UTC).timestamp() * 1000)
    events = [{"timestamp": now, "message": text} for text in (json.dumps(warning), json.dumps(warning), uncaught)]
    logs = clients.client("logs")
    logs.put_log_events(logGroupName="/logs/delivery", logStreamName="s", logEvents=events)  # type: ignore[arg-type]

    (row,) = [row for row in logged.run("errors", "delivery") if row["message"] == "step failed"]
    assert row["details"] == fields
    calls = refused_calls(with_delivery(logged), since=began, until=datetime.now(UTC))
    assert [str(call) for call in calls] == [
        "AWS refused function delivery ses:CreateConfigurationSet on arn:set (AccessDenied)",
        "AWS refused function delivery SNS:Publish on arn:topic (AuthorizationError)",
    ]


def test_errors_of_a_function_that_is_not_there_are_refused(logged: Ops) -> None:
    """With those that are."""
    assert "there is no function nope; there are delivery" in logged.say("errors", "nope", status=1)
    assert "is not a time" in logged.say("errors", "--since", "x", status=1)
