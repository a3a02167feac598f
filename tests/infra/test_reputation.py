"""Which changes of the reputation table wake which function."""

import json
from typing import Any

import pytest

from lambdas.domain.reputation.sending_status import HANDED_OVER, STATUS_ITEM
from tests.infra.synthesis import Synthesis, roles, synthesise

pytestmark = pytest.mark.xdist_group("infra")


def mappings(stack: Synthesis) -> list[list[dict[str, Any]]]:
    """The filter patterns of each event source mapping that has some."""
    criteria = [mapping.get("FilterCriteria") for mapping in stack.properties("AWS::Lambda::EventSourceMapping")]
    return [[json.loads(one["Pattern"]) for one in each["Filters"]] for each in criteria if each]


def test_feedback_and_what_was_handed_over_wake_the_evaluation() -> None:
    """A claim that is left to it says so; deliveries wake nobody while there is no cap."""
    [[counters, handed_over]] = mappings(synthesise())
    assert counters["dynamodb"]["Keys"]["item"]["S"] == [{"prefix": "feedback#"}]
    assert handed_over["dynamodb"]["Keys"]["item"]["S"] == [STATUS_ITEM]
    assert handed_over["dynamodb"]["NewImage"]["claimed_by"]["S"] == [HANDED_OVER]


def test_with_a_cap_deliveries_wake_a_function_of_their_own_and_the_sweep_runs_at_midnight() -> None:
    """Within a minute; it claims the pause, and leaves SES, the mails and the webhooks to the evaluation."""
    stack = synthesise(mails_per_instance_and_day=50_000)
    patterns = sorted(mappings(stack), key=lambda found: json.dumps(found[0]))
    assert [one["dynamodb"]["Keys"]["item"]["S"] for one in patterns[0]] == [
        [{"prefix": "deliveries#"}],
        [{"prefix": "feedback#"}],
    ]
    rules = stack.properties("AWS::Events::Rule")
    assert "cron(0 0 * * ? *)" in {rule.get("ScheduleExpression") for rule in rules}
    may = roles(stack)
    granted, of_the_evaluation = (
        {action for statement in may[name] for action in statement.actions} for name in ("reputation-cap", "reputation")
    )
    assert granted < of_the_evaluation
    assert not [action for action in granted if action.startswith(("ses:", "sns:"))]
