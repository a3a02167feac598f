"""The evaluation rules that hold where an operator sets none."""

from lambdas.domain.reputation.evaluation import ReputationRules
from lambdas.domain.reputation.rule_settings import RuleSettings


def test_the_rules_are_the_settings_and_the_defaults_those_of_the_documentation() -> None:
    """docs/operators.md and docs/decisions/0601-floors.md."""
    assert RuleSettings().rules == ReputationRules(
        window_outcomes=10_000,
        window_days=30,
        minimum_outcomes=500,
        minimum_bounces=5,
        minimum_complaints=11,
        minimum_warning_complaints=4,
        bounce_warning=0.02,
        bounce_pause=0.04,
        complaint_warning=0.0004,
        complaint_pause=0.0008,
    )
    assert RuleSettings(window_days=7, complaint_pause=0.001).rules.window_days == 7
