"""Finding the stack's things by its outputs."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ops.stack import StackMissing, find


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
    session: Any = type("Session", (), {"region_name": region, "client": lambda *_: Formation(**outputs)})
    monkeypatch.setattr("boto3.session.Session", session)


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
