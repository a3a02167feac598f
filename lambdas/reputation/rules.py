"""The rules of the verdict, from the settings."""

from dataclasses import fields

from lambdas.domain.reputation import Rules
from lambdas.reputation.settings import ReputationSettings


def rules_of(settings: ReputationSettings) -> Rules:
    """The thresholds and floors that the operator set."""
    return Rules(**{field.name: getattr(settings, field.name) for field in fields(Rules)})
