"""The evaluation rules, from the settings."""

from dataclasses import fields

from lambdas.domain.reputation.evaluation import ReputationRules
from lambdas.reputation.settings import ReputationSettings


def rules_of(settings: ReputationSettings) -> ReputationRules:
    """The thresholds and floors that the operator set."""
    return ReputationRules(**{field.name: getattr(settings, field.name) for field in fields(ReputationRules)})
