"""How near an instance is to being paused."""

from lambdas.domain.reputation.evaluation import Reputation, ReputationRules, SendingState


def risk(counts: Reputation, rules: ReputationRules, state: SendingState) -> float:
    """The risk: 1 at the pause threshold with the floor reached, 9.9 at most; paused instances sort first, with 10."""
    if state is SendingState.PAUSED:
        return 10.0
    bounces = min(counts.bounce_rate / rules.bounce_pause, counts.bounces / rules.minimum_bounces)
    complaints = min(counts.complaint_rate / rules.complaint_pause, counts.complaints / rules.minimum_complaints)
    return round(min(max(bounces, complaints), counts.outcomes / rules.minimum_outcomes, 9.9), 3)
