"""Judging an instance: measure, compare with how it stands, claim the transition, act on it.

A claim is conditional on the standing it was decided upon, so one of several judges gets it; the others judge again. A
claim whose claimer died is acted on by whoever comes next: the same record again, or the sweep.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from lambdas.domain.reputation.evaluation import (
    Decision,
    HourCounts,
    Reputation,
    ReputationRules,
    SendingState,
    evaluate,
    is_undecided,
    measure_windows,
    window_begin,
)
from lambdas.domain.reputation.sending_status import LEASE, Cause, Pending, SendingStatus, Transition

_TRIES = 4  # of judging anew, when others moved the instance at the same moment


class Contended(Exception):
    """Others moved the instance each time; it is to be judged again later."""


class Counters(Protocol):
    """What the ledger counted."""

    def hours(self, instance_id: str, *, since: str) -> Iterator[HourCounts]:
        """Newest first."""


class SendingStatuses(Protocol):
    """How instances stand."""

    def load(self, instance_id: str) -> SendingStatus:
        """Healthy when nobody ever said otherwise."""

    def claim(
        self, status: SendingStatus, transition: Transition, *, claimer: str, baseline: datetime | None, now: datetime
    ) -> bool:
        """False when another moved it first."""

    def take_over(self, pending: Pending, *, claimer: str, now: datetime) -> bool:
        """False when another was quicker."""

    def watch(self, instance_id: str) -> None:
        """Have the sweep judge it, too."""


class Enforcing(Protocol):
    """Does what a transition asks for."""

    def enforce(self, pending: Pending, *, now: datetime) -> None:
        """Raise when a step failed; the rest is left to be done."""


class EvaluationKind(StrEnum):
    """What came of judging."""

    UNCHANGED = "unchanged"
    MOVED = "moved"
    FINISHED = "finished"  # a transition that another had claimed and not done
    BUSY = "busy"  # another is at it


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The outcome for one instance. `transition` is the one that was acted on."""

    kind: EvaluationKind
    status: SendingStatus
    reputation: Reputation
    transition: Transition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluator:
    """Judges instances by *rules*."""

    counters: Counters
    statuses: SendingStatuses
    enforcer: Enforcing
    rules: ReputationRules

    def measure(self, status: SendingStatus, *, now: datetime) -> Reputation:
        """The instance's rates over the most recent representative volume, no further back than its baseline."""
        return self.windows(status, now=now)[0]

    def windows(self, status: SendingStatus, *, now: datetime) -> tuple[Reputation, ...]:
        """That volume, and the wider windows in which complaints are looked for too."""
        since = window_begin(self.rules, baseline=status.baseline, now=now)
        return measure_windows(self.counters.hours(status.instance_id, since=since), self.rules)

    def evaluate(self, instance_id: str, *, claimers: frozenset[str], now: datetime) -> Evaluation:
        """Judge the instance and act. *claimers* are names of this attempt and of those it repeats.

        Raises what a step of the action raises, and Contended; judging again completes the work.
        """
        for _ in range(_TRIES):
            status = self.statuses.load(instance_id)
            reputation, *wider = self.windows(status, now=now)
            decision = evaluate(reputation, self.rules, status.state, wider=wider)
            if decision.state is not status.state:
                transition = by_rates(status, decision, reputation, now=now)
                if not self.move(status, transition, claimer=min(claimers), baseline=status.baseline, now=now):
                    continue
                return Evaluation(
                    kind=EvaluationKind.MOVED, status=status, reputation=reputation, transition=transition
                )
            return self._finish(status, reputation, claimers, now)
        raise Contended(instance_id)

    def move(
        self, status: SendingStatus, transition: Transition, *, claimer: str, baseline: datetime | None, now: datetime
    ) -> bool:
        """Claim *transition* and act on it; False when another moved the instance first."""
        if not self.statuses.claim(status, transition, claimer=claimer, baseline=baseline, now=now):
            return False
        until = now + LEASE
        self.enforcer.enforce(
            Pending(transition=transition, done=frozenset(), claimed_by=claimer, claimed_until=until), now=now
        )
        return True

    def _finish(
        self, status: SendingStatus, reputation: Reputation, claimers: frozenset[str], now: datetime
    ) -> Evaluation:
        unchanged = Evaluation(kind=EvaluationKind.UNCHANGED, status=status, reputation=reputation)
        pending = status.pending
        if pending is None:
            if is_undecided(reputation, self.rules):
                self.statuses.watch(status.instance_id)
            return unchanged
        claimer = min(claimers)
        if not pending.may_be_taken(claimers, now=now) or not self.statuses.take_over(
            pending, claimer=claimer, now=now
        ):
            return replace(unchanged, kind=EvaluationKind.BUSY)
        self.enforcer.enforce(pending, now=now)
        return replace(unchanged, kind=EvaluationKind.FINISHED, transition=pending.transition)


def by_rates(status: SendingStatus, decision: Decision, reputation: Reputation, *, now: datetime) -> Transition:
    """The transition that our own rates ask for, with the window that shows why."""
    transition = transition_of(status, decision.state, decision.evidence or reputation, cause=Cause.RATES, now=now)
    return replace(transition, reasons=decision.reasons)


def transition_of(
    status: SendingStatus, after: SendingState, reputation: Reputation, *, cause: Cause, now: datetime
) -> Transition:
    """A transition from how the instance stands. Its id is from the version: two judges make the same one."""
    return Transition(
        id=f"{status.instance_id}:{status.version + 1}",
        instance_id=status.instance_id,
        before=status.state,
        after=after,
        at=now,
        cause=cause,
        reputation=reputation,
    )
