"""Finding the stack's things by its outputs."""

import inspect
import json
from typing import Any
from unittest.mock import Mock

import pytest
import typer
from botocore.exceptions import ClientError

from lambdas.aws import clients
from ops.command_line.console import clear_errors
from ops.deployment.stack import StackMissing, find


class Formation:
    """A CloudFormation with one stack."""

    def __init__(self, **outputs: str) -> None:
        self._outputs = outputs

    def describe_stacks(self, *, StackName: str) -> dict[str, Any]:  # noqa: N803
        if StackName != "ses-feedback":
            message = f"Stack with id {StackName} does not exist"
            raise ClientError({"Error": {"Code": "ValidationError", "Message": message}}, "DescribeStacks")
        outputs = [{"OutputKey": name, "OutputValue": value} for name, value in self._outputs.items()]
        return {"Stacks": [{"Outputs": outputs}]}


OUTPUTS = {
    "Tables": json.dumps({"backlog": "t"}),
    "Queues": json.dumps({"events": "q"}),
    "Functions": json.dumps({"delivery": "f"}),
    "EventTopicArn": "arn:aws-us-gov:sns:us-gov-west-1:123456789012:events",
}


def formation(monkeypatch: pytest.MonkeyPatch, *, region: str = "us-gov-west-1", **outputs: str) -> None:
    """Have the session lead to it."""
    session: Any = Mock(get_config_variable=lambda _: region or None, create_client=lambda _: Formation(**outputs))
    monkeypatch.setattr("ops.deployment.stack.session", lambda: session)


def test_everything_has_its_logical_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a topic's ARN is made from the stack's own partition, region and account."""
    formation(monkeypatch, **OUTPUTS)

    found = find()

    assert (found.tables["backlog"], found.queues["events"], found.functions["delivery"]) == ("t", "q", "f")
    assert found.arn_prefix == "arn:aws-us-gov:sns:us-gov-west-1:123456789012:"


def test_a_stack_that_is_not_there_is_told_with_the_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commonest mistake is the wrong region."""
    formation(monkeypatch, **OUTPUTS)
    with pytest.raises(StackMissing, match="stack other in us-gov-west-1: Stack with id other does not exist"):
        find("other")


def test_a_stack_of_something_else_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """It lacks the outputs."""
    formation(monkeypatch)
    with pytest.raises(StackMissing, match="has no output 'Tables'"):
        find()


def test_no_region_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is asked."""
    formation(monkeypatch, region="", **OUTPUTS)
    with pytest.raises(StackMissing, match="no region"):
        find()


REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_CONFIG_FILE")


def region(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str | None:
    """The region that a process with these variables works in."""
    for name in REGION_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in {"AWS_CONFIG_FILE": "/dev/null", **environment}.items():
        monkeypatch.setenv(name, value)
    found: str | None = inspect.unwrap(clients.session)().get_config_variable("region")
    return found


def test_the_region_comes_as_for_any_aws_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS_REGION first, as in the AWS CLI and the SDKs of other languages; then what botocore knows itself."""
    assert region(monkeypatch, AWS_REGION="eu-west-1") == "eu-west-1"
    assert region(monkeypatch, AWS_REGION="eu-west-1", AWS_DEFAULT_REGION="us-east-1") == "eu-west-1"
    assert region(monkeypatch, AWS_DEFAULT_REGION="us-east-1") == "us-east-1"
    assert region(monkeypatch) is None


def test_a_command_that_needs_no_stack_tells_of_a_missing_region_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`suppression remove` asks SES alone."""
    assert region(monkeypatch, AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x") is None
    with pytest.raises(typer.Exit), clear_errors():
        inspect.unwrap(clients.session)().create_client("sesv2")
    assert "set AWS_REGION" in capsys.readouterr().err
