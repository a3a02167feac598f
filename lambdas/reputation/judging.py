"""Judging an instance: measure, compare with how it stands, claim the transition, act on it.

A claim is conditional on the standing it was decided upon, so one of several judges gets it; the others judge again. A
claim whose claimer died is acted on by whoever comes next: the same record again, or the sweep.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from lambdas.domain.reputation import (
    HourCounts,
    Reputation,
    Rules,
    State,
    Verdict,
    is_undecided,
    judge,
    measure_windows,
    window_begin,
)
from lambdas.domain.standing import LEASE, Cause, Pending, Standing, Transition

_TRIES = 4  # of judging anew, when others moved the instance at the same moment


class Contended(Exception):
    """Others moved the instance each time; it is to be judged again later."""


class Counters(Protocol):
    """What the ledger counted."""

    def hours(self, instance_id: str, *, since: str) -> Iterator[HourCounts]:
        """Newest first."""


class Standings(Protocol):
    """How instances stand."""

    def load(self, instance_id: str) -> Standing:
        """Healthy when nobody ever said otherwise."""

    def claim(
        self, standing: Standing, transition: Transition, *, claimer: str, baseline: datetime | None, now: datetime
    ) -> bool:
        """False when another moved it first."""

    def take_over(self, pending: Pending, *, claimer: str, now: datetime) -> bool:
        """False when another was quicker."""

    def watch(self, instance_id: str) -> None:
        """Have the sweep judge it, too."""


class Acting(Protocol):
    """Does what a transition asks for."""

    def act(self, pending: Pending, *, now: datetime) -> None:
        """Raise when a step failed; the rest is left to be done."""


class Kind(StrEnum):
    """What came of judging."""

    UNCHANGED = "unchanged"
    MOVED = "moved"
    FINISHED = "finished"  # a transition that another had claimed and not done
    BUSY = "busy"  # another is at it


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The outcome for one instance. `transition` is the one that was acted on."""

    kind: Kind
    standing: Standing
    reputation: Reputation
    transition: Transition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Judges instances by *rules*."""

    counters: Counters
    standings: Standings
    actor: Acting
    rules: Rules

    def measure(self, standing: Standing, *, now: datetime) -> Reputation:
        """The instance's rates over the most recent representative volume, no further back than its baseline."""
        return self.windows(standing, now=now)[0]

    def windows(self, standing: Standing, *, now: datetime) -> tuple[Reputation, ...]:
        """That volume, and the wider windows in which complaints are looked for too."""
        since = window_begin(self.rules, baseline=standing.baseline, now=now)
        return measure_windows(self.counters.hours(standing.instance_id, since=since), self.rules)

    def judge(self, instance_id: str, *, claimers: frozenset[str], now: datetime) -> Judged:
        """Judge the instance and act. *claimers* are names of this attempt and of those it repeats.

        Raises what a step of the action raises, and Contended; judging again completes the work.
        """
        for _ in range(_TRIES):
            standing = self.standings.load(instance_id)
            reputation, *wider = self.windows(standing, now=now)
            verdict = judge(reputation, self.rules, standing.state, wider=wider)
            if verdict.state is not standing.state:
                transition = by_rates(standing, verdict, reputation, now=now)
                if not self.move(standing, transition, claimer=min(claimers), baseline=standing.baseline, now=now):
                    continue
                return Judged(kind=Kind.MOVED, standing=standing, reputation=reputation, transition=transition)
            return self._finish(standing, reputation, claimers, now)
        raise Contended(instance_id)

    def move(
        self, standing: Standing, transition: Transition, *, claimer: str, baseline: datetime | None, now: datetime
    ) -> bool:
        """Claim *transition* and act on it; False when another moved the instance first."""
        if not self.standings.claim(standing, transition, claimer=claimer, baseline=baseline, now=now):
            return False
        until = now + LEASE
        self.actor.act(
            Pending(transition=transition, done=frozenset(), claimed_by=claimer, claimed_until=until), now=now
        )
        return True

    def _finish(self, standing: Standing, reputation: Reputation, claimers: frozenset[str], now: datetime) -> Judged:
        unchanged = Judged(kind=Kind.UNCHANGED, standing=standing, reputation=reputation)
        pending = standing.pending
        if pending is None:
            if is_undecided(reputation, self.rules):
                self.standings.watch(standing.instance_id)
            return unchanged
        claimer = min(claimers)
        if not pending.may_be_taken(claimers, now=now) or not self.standings.take_over(
            pending, claimer=claimer, now=now
        ):
            return replace(unchanged, kind=Kind.BUSY)
        self.actor.act(pending, now=now)
        return replace(unchanged, kind=Kind.FINISHED, transition=pending.transition)


def by_rates(standing: Standing, verdict: Verdict, reputation: Reputation, *, now: datetime) -> Transition:
    """The transition that our own rates ask for, with the window that shows why."""
    transition = transition_of(standing, verdict.state, verdict.evidence or reputation, cause=Cause.RATES, now=now)
    return replace(transition, reasons=verdict.reasons)


def transition_of(
    standing: Standing, after: State, reputation: Reputation, *, cause: Cause, now: datetime
) -> Transition:
    """A transition from how the instance stands. Its id is from the version: two judges make the same one."""
    return Transition(
        id=f"{standing.instance_id}:{standing.version + 1}",
        instance_id=standing.instance_id,
        before=standing.state,
        after=after,
        at=now,
        cause=cause,
        reputation=reputation,
    )
