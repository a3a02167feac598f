"""The evaluation rules that the context sets, for every function that evaluates rates."""

from dataclasses import asdict
from typing import Any

from infra.context import Context
from lambdas.domain.reputation.evaluation import ReputationRules


def evaluation_rules(context: Context) -> dict[str, Any]:
    """The fields of RuleSettings."""
    return asdict(
        ReputationRules(
            window_outcomes=context.reputation_outcomes,
            window_days=context.reputation_days,
            minimum_outcomes=context.reputation_floor_outcomes,
            minimum_bounces=context.reputation_floor_bounces,
            minimum_complaints=context.reputation_floor_complaints,
            minimum_warning_complaints=context.reputation_floor_warning_complaints,
            bounce_warning=context.warn_bounce_rate,
            bounce_pause=context.pause_bounce_rate,
            complaint_warning=context.warn_complaint_rate,
            complaint_pause=context.pause_complaint_rate,
        )
    )
