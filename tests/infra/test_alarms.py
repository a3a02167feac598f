"""When the operator is notified: what each alarm watches, from which value on, and for how long."""

from typing import Any

import pytest

from tests.infra.synthesis import Synthesis, logical_ids, synthesise

pytestmark = pytest.mark.xdist_group("infra")

FIVE_MINUTES = 300  # s
DAY = 24 * 3600  # s


@pytest.fixture(scope="module")
def stack() -> Synthesis:
    """The stack as production gets it."""
    return synthesise()


def alarms(stack: Synthesis, metric: str, dimension: str, value: Any) -> list[tuple[float, int, str]]:
    """Threshold, number of periods and statistic of the alarms on one thing's metric."""
    return sorted(
        (one["Threshold"], one["EvaluationPeriods"], one["Statistic"])
        for one in stack.properties("AWS::CloudWatch::Alarm")
        if one.get("MetricName") == metric and one.get("Dimensions") == [{"Name": dimension, "Value": value}]
    )


def test_alarms_of_queues_and_failures_are_quiet_without_data(stack: Synthesis) -> None:
    """They go off above a threshold: a function that does not run has no errors, an empty queue no age."""
    failures = ("Errors", "Throttles")
    for alarm in stack.properties("AWS::CloudWatch::Alarm"):
        if alarm.get("Namespace") != "AWS/SQS" and alarm.get("MetricName") not in failures:
            continue
        assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
        assert alarm["TreatMissingData"] == "notBreaching"
        assert alarm["Period"] == FIVE_MINUTES


def test_the_first_dead_letter_alarms_at_once_and_one_that_nobody_took_in_three_days_again(stack: Synthesis) -> None:
    """Of every dead-letter queue that there is."""
    queues = {name: logical for name, logical in logical_ids(stack, "Queues").items() if name.endswith("dlq")}
    assert len(queues) >= 5
    for logical in queues.values():
        named = {"Fn::GetAtt": [logical, "QueueName"]}
        assert alarms(stack, "ApproximateNumberOfMessagesVisible", "QueueName", named) == [(0, 1, "Maximum")]
        assert alarms(stack, "ApproximateAgeOfOldestMessage", "QueueName", named) == [(3 * DAY, 1, "Maximum")]


@pytest.mark.parametrize(("queue", "minutes"), [("events", 15), ("deliveries", 30)])
def test_a_queue_that_stands_still_alarms_after_a_quarter_of_an_hour(
    stack: Synthesis, queue: str, minutes: int
) -> None:
    """docs/scaling.md names the ages."""
    named = {"Fn::GetAtt": [logical_ids(stack, "Queues")[queue], "QueueName"]}
    assert alarms(stack, "ApproximateAgeOfOldestMessage", "QueueName", named) == [(minutes * 60, 3, "Maximum")]


def test_a_function_that_fails_or_is_throttled_for_a_quarter_of_an_hour_alarms(stack: Synthesis) -> None:
    """Each of them; a single failure is repeated by its queue or schedule."""
    for logical in logical_ids(stack, "Functions").values():
        for metric in ("Errors", "Throttles"):
            assert alarms(stack, metric, "FunctionName", {"Ref": logical}) == [(0, 3, "Sum")]


def test_what_is_lost_alarms_at_the_first_and_what_is_tried_again_after_a_while(stack: Synthesis) -> None:
    """The functions' own counts."""
    periods = {
        alarm["MetricName"]: (alarm["Threshold"], alarm["EvaluationPeriods"], alarm["Statistic"])
        for alarm in stack.properties("AWS::CloudWatch::Alarm")
        if alarm.get("Namespace") == "SesFeedback" and alarm.get("Statistic") == "Sum" and alarm["Threshold"] == 0
    }
    assert periods["DeliveriesExpired"] == (0, 1, "Sum")
    assert periods["DeliveriesUnreadable"] == (0, 1, "Sum")


def test_what_would_be_lost_in_three_days_and_an_operation_that_does_not_end_alarm(stack: Synthesis) -> None:
    """The gauges that can mean harm; the others are on the dashboard only."""
    gauges = {
        alarm["MetricName"]: (alarm["Threshold"], alarm["Period"], alarm["EvaluationPeriods"])
        for alarm in stack.properties("AWS::CloudWatch::Alarm")
        if alarm.get("Namespace") == "SesFeedback" and alarm.get("Statistic") == "Maximum"
    }
    assert gauges == {
        "BacklogOldestSeconds": (11 * DAY, 900, 1),
        "OperationsOldestSeconds": (4 * 3600, FIVE_MINUTES, 3),
    }
