"""The settings of functions that evaluate rates."""

from dataclasses import dataclass, fields

from lambdas.domain.reputation.evaluation import ReputationRules
from lambdas.domain.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSettings(Settings):
    """The evaluation rules: each field of ReputationRules.

    Rates are shares of one: 0.04 is 4 %. Infra lets the context set every number; docs/decisions gives the figures
    behind the defaults.
    """

    window_outcomes: int = 10_000  # the most recent representative volume
    window_days: int = 30  # and no further back than this
    minimum_outcomes: int = 500  # below: no decision
    minimum_bounces: int = 5  # below: never a pause for bounces
    minimum_complaints: int = 11  # below: never a pause for complaints
    minimum_warning_complaints: int = 4  # below: no warning for complaints
    bounce_warning: float = 0.02
    bounce_pause: float = 0.04
    complaint_warning: float = 0.0004
    complaint_pause: float = 0.0008

    @property
    def rules(self) -> ReputationRules:
        """The thresholds and floors that the operator set."""
        return ReputationRules(**{field.name: getattr(self, field.name) for field in fields(ReputationRules)})
