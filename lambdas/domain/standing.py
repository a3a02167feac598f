"""How an instance stands, and the transitions between: claimed by a write, acted on once, redone if need be."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from lambdas.domain.reputation import Reason, Reputation, State

LEASE = timedelta(seconds=150)  # a claimer has that long to act: more than its function's timeout


class Cause(StrEnum):
    """Who moved an instance."""

    RATES = "rates"  # ours
    SES_RATES = "ses_rates"  # SES's, where they are above ours
    OUTSIDE = "outside"  # sending was found disabled in SES, by somebody else
    OPERATOR = "operator"


class Step(StrEnum):
    """What a transition brings with it; each can be repeated."""

    STOP_SENDING = "stop_sending"
    ALLOW_SENDING = "allow_sending"
    TELL_WEBHOOKS = "tell_webhooks"
    TELL_ADMIN = "tell_admin"
    TELL_OPERATOR = "tell_operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One move of an instance, with its evidence. `id` is unique; `by` and `why` are an operator's."""

    id: str
    instance_id: str
    before: State
    after: State
    at: datetime
    cause: Cause
    reasons: tuple[Reason, ...] = ()
    reputation: Reputation
    by: str | None = None
    why: str | None = None

    @property
    def steps(self) -> tuple[Step, ...]:
        """What is to be done, in order: what protects first, then who is told."""
        told = (Step.TELL_ADMIN, Step.TELL_OPERATOR)
        if self.after is State.PAUSED:
            return (Step.STOP_SENDING, Step.TELL_WEBHOOKS, *told)
        return (Step.ALLOW_SENDING, *told) if self.before is State.PAUSED else told


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A claimed transition that is not done yet: which steps are, and who is at it until when."""

    transition: Transition
    done: frozenset[Step]
    claimed_by: str
    claimed_until: datetime

    @property
    def left(self) -> tuple[Step, ...]:
        """The steps still to be done."""
        return tuple(step for step in self.transition.steps if step not in self.done)

    def may_be_taken(self, claimers: frozenset[str], *, now: datetime) -> bool:
        """Whether one of *claimers* may act: it claimed before and came again, or the claimer is out of time."""
        return self.claimed_by in claimers or now >= self.claimed_until


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An instance's state. `version` counts transitions: a claim is conditional on the one it was decided upon.

    `baseline` is when an operator last resumed it: rates look no further back.
    """

    instance_id: str
    state: State = State.HEALTHY
    since: datetime | None = None
    version: int = 0
    baseline: datetime | None = None
    pending: Pending | None = None
