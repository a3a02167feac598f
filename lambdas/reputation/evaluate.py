"""Evaluates an instance: measures its rates, decides, claims the transition and has it enforced.

A claim is conditional on the sending status that the decision was based on, so that one of several evaluations gets it
and the others evaluate again. If the claimer crashes, the redelivered stream record or reconciliation enforces it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from lambdas.domain.ports import HourlyCounters
from lambdas.domain.reputation.evaluation import (
    Decision,
    Reputation,
    ReputationRules,
    SendingState,
    Windows,
    evaluate,
    evaluate_windows,
    is_above_warning,
    is_undecided,
    measure_windows,
    window_begin,
)
from lambdas.domain.reputation.sending_status import (
    LEASE,
    Cause,
    Mark,
    Pending,
    SendingStatus,
    Transition,
    transition_of,
)
from lambdas.domain.tenants.domain_names import parents
from lambdas.domain.webhooks.audience import Audience
from lambdas.reputation.enforce import Enforcer
from lambdas.reputation.organizations import Organizations
from lambdas.reputation.ports import PauseMarks, SendingStatuses

_TRIES = 4  # of evaluating again, if others changed the instance at the same moment


class Contended(Exception):
    """Other invocations changed the status at each attempt. Evaluate the instance again later."""


class EvaluationKind(StrEnum):
    """The kind of an evaluation's outcome."""

    UNCHANGED = "unchanged"
    MOVED = "moved"
    FINISHED = "finished"  # a transition that another had claimed and not done
    BUSY = "busy"  # another is at it
    GONE = "gone"  # there is no such instance (any more)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The outcome for one instance. `transition` is the one that was enforced."""

    kind: EvaluationKind
    status: SendingStatus
    reputation: Reputation
    transition: Transition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluator:
    """Evaluates instances by *rules*. *audience* returns None for a deleted instance."""

    counters: HourlyCounters
    statuses: SendingStatuses
    marks: PauseMarks
    organizations: Organizations
    enforcer: Enforcer
    rules: ReputationRules
    audience: Callable[[str], Audience | None]

    def measure(self, status: SendingStatus, *, now: datetime) -> Reputation:
        """The instance's rates over the most recent representative volume, no further back than its baseline."""
        return self.windows(status, now=now).representative

    def windows(self, status: SendingStatus, *, now: datetime) -> Windows:
        """That volume, and the windows in which complaints are looked for too."""
        since = window_begin(self.rules, baseline=status.baseline, now=now)
        return measure_windows(self.counters.hours(status.instance_id, since=since), self.rules)

    def evaluate(self, instance_id: str, *, claimers: frozenset[str], now: datetime) -> Evaluation:
        """Evaluate the instance and enforce the decision. *claimers* name this attempt and those that it repeats.

        Raises what a step raises, and Contended. Another evaluation completes the work.
        """
        audience = self.audience(instance_id)
        for _ in range(_TRIES):
            status = self.statuses.load(instance_id)
            windows = self.windows(status, now=now)
            if audience is None:
                return Evaluation(kind=EvaluationKind.GONE, status=status, reputation=windows.representative)
            if transition := self._decided(status, audience, windows, now):
                if not self.move(status, transition, claimer=min(claimers), baseline=status.baseline, now=now):
                    continue
                return Evaluation(
                    kind=EvaluationKind.MOVED, status=status, reputation=windows.representative, transition=transition
                )
            return self._finish(status, windows.representative, claimers, now)
        raise Contended(instance_id)

    def _decided(self, status: SendingStatus, audience: Audience, windows: Windows, now: datetime) -> Transition | None:
        """The transition that is due, if any: what pauses first, and what pauses for longest before the rest.

        A pause that ends by itself does not prevent another one. For a deleted instance only a pause matters: it is
        marked.
        """
        state = SendingState.HEALTHY if status.until else status.state
        decision = evaluate_windows(windows, self._rules_of(status, now), state)
        rates = by_rates(status, decision, windows.representative, now=now, domain=audience.domain)
        rates = replace(rates, deleted_at=audience.deleted_at)
        if decision.state is SendingState.PAUSED and state is not SendingState.PAUSED:
            return rates
        if status.is_over(now=now) and status.cause is not None:
            cause = status.cause
            return transition_of(
                status, SendingState.HEALTHY, windows.representative, cause=cause, now=now, domain=audience.domain
            )
        if status.state is SendingState.PAUSED:
            return None
        if paused := self._by_others(status, audience, windows.representative, now):
            return paused
        return None if audience.deleted or decision.state is status.state else rates

    def _by_others(
        self, status: SendingStatus, audience: Audience, reputation: Reputation, now: datetime
    ) -> Transition | None:
        """A pause caused by its organization or by an earlier instance of its domain."""
        if mark := self._mark(status, audience, now):
            earlier = mark.transition
            paused = transition_of(
                status,
                SendingState.PAUSED,
                earlier.reputation,
                cause=Cause.EARLIER_PAUSE,
                now=now,
                domain=audience.domain,
            )
            return replace(paused, reasons=earlier.reasons, until=mark.until)
        if not audience.organization or not (reputation.bounces or reputation.complaints):
            return None
        self.organizations.join(audience.organization, status.instance_id, now=now)
        if not is_above_warning(reputation, self.rules):
            return None
        rates = self.organizations.rates(audience.organization, now=now)
        if rates.everyone.state is not SendingState.PAUSED:
            return None
        low = evaluate(reputation, self.rules.with_low_floors(), SendingState.HEALTHY)
        if SendingState.PAUSED not in (low.state, rates.sending.state):
            return None
        paused = transition_of(
            status, SendingState.PAUSED, reputation, cause=Cause.ORGANIZATION, now=now, domain=audience.domain
        )
        why = _told(rates.everyone.evidence)
        return replace(paused, reasons=rates.everyone.reasons, why=why, deleted_at=audience.deleted_at)

    def _mark(self, status: SendingStatus, audience: Audience, now: datetime) -> Mark | None:
        """The mark that pauses the instance although it was not there when the instance was created.

        Such marks come from events of an earlier, deleted instance that were still in flight. One on a parent domain
        pauses only instances that were created after that deletion: older ones are no way around it.
        """
        if not audience.domain or audience.deleted:
            return None
        above = parents(audience.domain) if audience.created_at else ()
        marks = (self.marks.on(name, now=now) for name in (audience.domain, *above))
        return next((mark for mark in marks if mark and _pauses(mark, status, audience)), None)

    def _rules_of(self, status: SendingStatus, now: datetime) -> ReputationRules:
        return self.rules.with_low_floors() if status.is_on_probation(now=now) else self.rules

    def move(
        self, status: SendingStatus, transition: Transition, *, claimer: str, baseline: datetime | None, now: datetime
    ) -> bool:
        """Claim *transition* and enforce it. Returns False if another invocation changed the status first."""
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
            if is_undecided(reputation, self._rules_of(status, now)):
                self.statuses.watch(status.instance_id)
            return unchanged
        claimer = min(claimers)
        if not pending.may_be_taken(claimers, now=now) or not self.statuses.take_over(
            pending, claimer=claimer, now=now
        ):
            return replace(unchanged, kind=EvaluationKind.BUSY)
        self.enforcer.enforce(pending, now=now)
        return replace(unchanged, kind=EvaluationKind.FINISHED, transition=pending.transition)


def by_rates(
    status: SendingStatus, decision: Decision, reputation: Reputation, *, now: datetime, domain: str = ""
) -> Transition:
    """The transition that the instance's own rates require, with the window that shows why."""
    evidence = decision.evidence or reputation
    transition = transition_of(status, decision.state, evidence, cause=Cause.RATES, now=now, domain=domain)
    return replace(transition, reasons=decision.reasons)


def _pauses(mark: Mark, status: SendingStatus, audience: Audience) -> bool:
    """Whether the mark came from an earlier instance of the domain or of a parent, and is not forgiven."""
    earlier = mark.transition
    forgiven = status.baseline is not None and status.baseline >= earlier.at
    if earlier.instance_id == status.instance_id or forgiven:
        return False
    deleted_at, created_at = earlier.deleted_at, audience.created_at
    return mark.domain == audience.domain or bool(deleted_at and created_at and created_at >= deleted_at)


def _told(counts: Reputation | None) -> str | None:
    if counts is None:
        return None
    return (
        f"All instances of the organization together: {counts.bounce_rate:.2%} bounces and "
        f"{counts.complaint_rate:.3%} complaints in {counts.outcomes:,} outcomes."
    )
