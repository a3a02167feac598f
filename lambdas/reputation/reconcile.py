"""Reconciliation: completes pending transitions, and compares each instance with SES once a day.

Each run checks one slice of all instances; there are SLOTS runs a day, so that calls to SES's control plane (one a
second, shared with the broker) are spread evenly. What a run cannot check before its deadline is counted and checked
the next day.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from lambdas.domain.ports import HourlyCounters
from lambdas.domain.reputation.evaluation import (
    Reason,
    Reputation,
    ReputationRules,
    SendingState,
    is_above_floor,
    is_undecided,
)
from lambdas.domain.reputation.ledger import bucket_of
from lambdas.domain.reputation.sending_status import Cause, SendingStatus, transition_of
from lambdas.domain.reputation.ses_rates import SesRates
from lambdas.reputation.evaluate import Evaluation, EvaluationKind, Evaluator
from lambdas.reputation.ports import InstanceList, SendingOptions, SendingStatuses, SesRateMetrics

SLOTS = 96  # a day: one each 15 minutes
OVERDUE = timedelta(minutes=15)  # after which a transition that is not acted on is alarmed
_ACTIVE = timedelta(days=1)  # instances that sent nothing for longer are left alone
CLAIMER = "sweep"


class ReconciliationObserver(Protocol):
    """Logs, counts and notifies the operator."""

    def evaluated(self, evaluation: Evaluation) -> None:
        """An instance was evaluated."""

    def failed(self, instance_id: str, error: Exception) -> None:
        """An evaluation failed; it is repeated."""

    def healed(self, instance_id: str, what: str) -> None:
        """SES's state differed from ours and was corrected."""

    def differs(self, instance_id: str, ours: Reputation, theirs: SesRates) -> None:
        """SES's rates are above ours, without the volume for a pause: the operator should look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """The outcome of a run. `overdue` transitions are still not enforced after OVERDUE.

    `warned` and `paused` instances are in that state now: all of them, because each is watched until it is healthy.
    """

    watched: int
    overdue: int
    warned: int = 0
    paused: int = 0
    checked: int
    unchecked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciler:
    """Reconciles.

    *may_call_ses* waits for the rate limiter; it returns False if the wait is longer than the time left.
    """

    evaluator: Evaluator
    statuses: SendingStatuses
    counters: HourlyCounters
    sending: SendingOptions
    rates: SesRateMetrics
    instances: InstanceList
    observer: ReconciliationObserver
    may_call_ses: Callable[[], bool]

    def reconcile(self, *, now: datetime) -> Reconciled:
        """Complete pending transitions, then check this run's slice."""
        watched = self.statuses.watched()
        statuses = [self._reevaluate(instance_id, now) for instance_id in watched]
        states = [status.state for status in statuses]
        checked, unchecked = self.check(self.instances.part(slot_of(now), of=SLOTS), now=now)
        return Reconciled(
            watched=len(watched),
            overdue=sum(_is_overdue(status, now) for status in statuses),
            warned=states.count(SendingState.WARNED),
            paused=states.count(SendingState.PAUSED),
            checked=checked,
            unchecked=unchecked,
        )

    def check(self, instance_ids: Iterable[str], *, now: datetime) -> tuple[int, int]:
        """Compare those of *instance_ids* that are active with SES; how many were checked, and how many not."""
        active = [instance_id for instance_id in instance_ids if self._is_active(instance_id, now)]
        rates = self.rates.latest(active, now=now) if active else {}
        checked = 0
        for instance_id in active:
            if not self.may_call_ses():
                break
            checked += 1
            self._guarded(instance_id, lambda name: self._compare(name, rates[name], now))
        return checked, len(active) - checked

    def _reevaluate(self, instance_id: str, now: datetime) -> SendingStatus:
        """Evaluate a watched instance. Returns its status after that."""
        self._guarded(instance_id, lambda name: self._evaluate(name, now))
        return self.statuses.load(instance_id)

    def _evaluate(self, instance_id: str, now: datetime) -> None:
        evaluation = self.evaluator.evaluate(instance_id, claimers=frozenset({CLAIMER}), now=now)
        if evaluation.kind is EvaluationKind.GONE:
            self.statuses.forget(instance_id)
            return
        self.observer.evaluated(evaluation)
        settled = evaluation.kind is EvaluationKind.UNCHANGED and evaluation.status.state is SendingState.HEALTHY
        if settled and not is_undecided(evaluation.reputation, self.evaluator.rules):
            self.statuses.unwatch(instance_id)

    def _guarded(self, instance_id: str, work: Callable[[str], None]) -> None:
        try:
            work(instance_id)
        except Exception as error:  # noqa: BLE001  # one instance's fault must not keep the sweep from the others
            self.observer.failed(instance_id, error)

    def _is_active(self, instance_id: str, now: datetime) -> bool:
        return next(self.counters.hours(instance_id, since=bucket_of(now - _ACTIVE)), None) is not None

    def _compare(self, instance_id: str, theirs: SesRates, now: datetime) -> None:
        status = self.statuses.load(instance_id)
        enabled = self.sending.enabled(instance_id)
        if enabled is None:
            self.statuses.forget(instance_id)
        elif status.pending is None:
            if enabled is (status.state is SendingState.PAUSED):
                self._heal(status, now)
            elif status.state is not SendingState.PAUSED:
                self._compare_rates(status, theirs, now)

    def _heal(self, status: SendingStatus, now: datetime) -> None:
        """Correct the state towards safety: pause again what we paused; keep paused what somebody else paused, and
        notify."""
        if status.state is SendingState.PAUSED:
            self.sending.set(status.instance_id, enabled=False)
            self.observer.healed(status.instance_id, "sending was enabled although it is paused, and was paused again")
            return
        self._pause(status, self.evaluator.measure(status, now=now), Cause.OUTSIDE, now)
        self.observer.healed(status.instance_id, "sending was disabled in SES, and is kept paused")

    def _compare_rates(self, status: SendingStatus, theirs: SesRates, now: datetime) -> None:
        rules = self.evaluator.rules
        ours = self.evaluator.measure(status, now=now)
        reasons = tuple(_above(ours, theirs, rules))
        if not reasons:
            return
        founded = tuple(reason for reason in reasons if is_above_floor(ours, rules, reason))
        if not founded or _was_resumed(status, rules, now):
            self.observer.differs(status.instance_id, ours, theirs)
            return
        self._pause(status, ours, Cause.SES_RATES, now, reasons=founded, why=_as_text(theirs))

    def _pause(
        self,
        status: SendingStatus,
        reputation: Reputation,
        cause: Cause,
        now: datetime,
        *,
        reasons: tuple[Reason, ...] = (),
        why: str | None = None,
    ) -> None:
        audience = self.evaluator.audience(status.instance_id)
        domain = audience.domain if audience else ""
        transition = transition_of(status, SendingState.PAUSED, reputation, cause=cause, now=now, domain=domain)
        transition = replace(transition, reasons=reasons, why=why)
        self.evaluator.move(status, transition, claimer=CLAIMER, baseline=status.baseline, now=now)


def slot_of(now: datetime) -> int:
    """Which slice of the instances a run at *now* checks."""
    minutes = now.astimezone(UTC).hour * 60 + now.astimezone(UTC).minute
    return minutes * SLOTS // (24 * 60)


def _is_overdue(status: SendingStatus, now: datetime) -> bool:
    """Whether its transition is still not enforced after OVERDUE."""
    return status.pending is not None and now - status.pending.transition.at >= OVERDUE


def _above(ours: Reputation, theirs: SesRates, rules: ReputationRules) -> Iterator[Reason]:
    """Whether SES's rate is over a pause threshold and ours is not."""
    if theirs.bounce_rate is not None and theirs.bounce_rate >= max(rules.bounce_pause, ours.bounce_rate):
        yield Reason.BOUNCES
    if theirs.complaint_rate is not None and theirs.complaint_rate >= max(rules.complaint_pause, ours.complaint_rate):
        yield Reason.COMPLAINTS


def _was_resumed(status: SendingStatus, rules: ReputationRules, now: datetime) -> bool:
    """Whether the instance was resumed recently. SES knows no baseline: its rates still include forgiven feedback."""
    return status.baseline is not None and now - status.baseline < timedelta(days=rules.window_days)


def _as_text(theirs: SesRates) -> str:
    rates = {"bounces": theirs.bounce_rate, "complaints": theirs.complaint_rate}
    return "SES's rates: " + ", ".join(f"{name} {rate:.3%}" for name, rate in rates.items() if rate is not None) + "."
