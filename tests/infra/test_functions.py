"""How each function runs: its code, what wakes it, and how often what failed is tried again."""

import re
from importlib.util import find_spec
from typing import Any
from unittest.mock import Mock

import pytest

from tests.infra.synthesis import Synthesis, logical_ids, synthesise

pytestmark = pytest.mark.xdist_group("infra")


@pytest.fixture(scope="module")
def stack() -> Synthesis:
    """With batch sizes and windows that are nobody's defaults, and all functions there can be."""
    return synthesise(
        mails_per_instance_and_day="50000",
        portal="links",
        feedback_batch_size="11",
        feedback_batch_window_seconds="3",
        delivery_batch_size="12",
        delivery_batch_window_seconds="4",
        log_retention_days="7",
    )


def functions(stack: Synthesis) -> dict[str, dict[str, Any]]:
    """The functions' properties, by their names in the `Functions` output."""
    found = stack.resources("AWS::Lambda::Function")
    return {name: found[logical_id]["Properties"] for name, logical_id in logical_ids(stack, "Functions").items()}


def test_every_function_has_a_handler_that_exists(stack: Synthesis) -> None:
    """In the bundle that it is deployed with, and of the bundles' Python and processor."""
    for properties in functions(stack).values():
        module, _, entry = properties["Handler"].rpartition(".")
        spec = find_spec(module)
        assert spec is not None
        assert spec.origin is not None
        with open(spec.origin) as source:  # noqa: PTH123  # importing it would need the function's environment
            assert f"def {entry}(" in source.read()
        assert properties["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"] == module.split(".")[1]
        assert (properties["Runtime"], properties["Architectures"]) == ("python3.13", ["arm64"])


def test_queues_wake_their_functions_with_the_operator_s_batches(stack: Synthesis) -> None:
    """Size and window, by function; the worker takes one operation at a time."""
    by_id = {logical_id: name for name, logical_id in logical_ids(stack, "Functions").items()}
    batches = {
        (by_id[one["FunctionName"]["Ref"]], one["BatchSize"], one.get("MaximumBatchingWindowInSeconds"))
        for one in stack.properties("AWS::Lambda::EventSourceMapping")
        if "ScalingConfig" in one
    }
    assert {("feedback", 11, 3), ("delivery", 12, 4), ("worker", 1, 0)} <= batches


def test_a_scheduled_run_that_could_not_be_started_is_not_started_later(stack: Synthesis) -> None:
    """The next one does its work."""
    rules = [rule for rule in stack.properties("AWS::Events::Rule") if "ScheduleExpression" in rule]
    targets = [target for rule in rules for target in rule["Targets"]]
    assert targets
    assert {target["RetryPolicy"]["MaximumRetryAttempts"] for target in targets} == {0}


def test_a_scheduled_run_that_fails_or_is_throttled_is_not_repeated_by_lambda(stack: Synthesis) -> None:
    """Lambda would repeat a failed run twice and a throttled one for six hours: beside the runs that come anyway."""
    scheduled = {
        target["Arn"]["Fn::GetAtt"][0]: rule["ScheduleExpression"]
        for rule in stack.properties("AWS::Events::Rule")
        if rule.get("ScheduleExpression", "").startswith("rate")
        for target in rule["Targets"]
    }
    configured = {one["FunctionName"]["Ref"]: one for one in stack.properties("AWS::Lambda::EventInvokeConfig")}
    assert len(configured) == len(scheduled) == 3
    for function, rate in scheduled.items():
        [minutes] = re.findall(r"\d+", rate)
        assert configured[function]["MaximumRetryAttempts"] == 0
        assert configured[function]["MaximumEventAgeInSeconds"] == 60 * int(minutes)


def test_logs_are_encrypted_and_end(stack: Synthesis) -> None:
    """With the stack's key, after the operator's days."""
    [key] = stack.resources("AWS::KMS::Key")
    groups = stack.properties("AWS::Logs::LogGroup")
    assert len(groups) >= len(functions(stack))
    assert {group["RetentionInDays"] for group in groups} == {7}
    assert {group["KmsKeyId"]["Fn::GetAtt"][0] for group in groups} == {key}


def test_an_asterisk_in_a_role_needs_a_reason() -> None:
    """It stands in the accepted findings; without one the stack is not even made."""
    from infra.function import Function  # here: it imports the CDK, which takes seconds

    with pytest.raises(ValueError, match=r"^s3:Get, s3:Put on arn:\*, \* needs a reason$"):
        Function.allow(Mock(), "s3:Get", "s3:Put", on=["arn:*", "arn:x", "*"])
