"""Rates over the most recent representative volume, and what follows from them.

Bounce rate: bounces that count / (deliveries + bounces that count), in recipients. Complaint rate: complaints that
count / deliveries. What counts: `lambdas.domain.counting`. The window walks back hour by hour until it holds
`window_outcomes` or is `window_days` long, as SES's own rates run over a volume, not a time.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from lambdas.domain.ledger import begin_of, bucket_of

RECOVERY = 0.5  # of the warning's rate: a tenant that hovers at the threshold is not told each hour that it recovered


class State(StrEnum):
    """How an instance stands. Rates lead from HEALTHY to WARNED and back, and to PAUSED; only an operator resumes."""

    HEALTHY = "healthy"
    WARNED = "warned"
    PAUSED = "paused"


class Reason(StrEnum):
    """Which rate crossed its threshold."""

    BOUNCES = "bounce_rate"
    COMPLAINTS = "complaint_rate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The operator's thresholds and floors. Rates are shares of one: 0.04 is 4 %."""

    window_outcomes: int
    window_days: int
    minimum_outcomes: int
    minimum_bounces: int
    minimum_complaints: int
    minimum_warning_complaints: int
    bounce_warning: float
    bounce_pause: float
    complaint_warning: float
    complaint_pause: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HourCounts:
    """What was counted in one bucket (see `lambdas.domain.ledger.bucket_of`)."""

    bucket: str
    bounces: int = 0
    complaints: int = 0
    deliveries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reputation:
    """Counts of a window. `since` is its first bucket, None when nothing was counted."""

    bounces: int
    complaints: int
    deliveries: int
    since: str | None

    @property
    def outcomes(self) -> int:
        """Mails of which we know what became of them, by recipient."""
        return self.deliveries + self.bounces

    @property
    def bounce_rate(self) -> float:
        """Share of outcomes that bounced; 0 without any."""
        return self.bounces / self.outcomes if self.outcomes else 0.0

    @property
    def complaint_rate(self) -> float:
        """Complaints by delivery; all of them, when they are ahead of every delivery."""
        return self.complaints / max(self.deliveries, self.complaints) if self.complaints else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The state that rates ask for, and which of them. Without reasons the rates are fine, or say nothing yet."""

    state: State
    reasons: tuple[Reason, ...] = ()


def window_begin(rules: Rules, *, baseline: datetime | None, now: datetime) -> str:
    """The oldest bucket that a rate may look at."""
    oldest = bucket_of(now - timedelta(days=rules.window_days))
    return max(oldest, begin_of(baseline)) if baseline else oldest


def measure(newest_first: Iterable[HourCounts], rules: Rules) -> Reputation:
    """The counts of the most recent representative volume. Takes no more of *newest_first* than it needs."""
    bounces = complaints = deliveries = 0
    since = None
    for hour in newest_first:
        bounces += hour.bounces
        complaints += hour.complaints
        deliveries += hour.deliveries
        since = hour.bucket
        if bounces + deliveries >= rules.window_outcomes:
            break
    return Reputation(bounces=bounces, complaints=complaints, deliveries=deliveries, since=since)


def judge(reputation: Reputation, rules: Rules, state: State) -> Verdict:
    """What *reputation* makes of an instance that stands at *state*."""
    if state is State.PAUSED or reputation.outcomes < rules.minimum_outcomes:
        return Verdict(state=state)
    if reasons := _pausing(reputation, rules):
        return Verdict(state=State.PAUSED, reasons=reasons)
    if reasons := _warning(reputation, rules, 1.0):
        return Verdict(state=State.WARNED, reasons=reasons)
    if state is State.WARNED and (reasons := _warning(reputation, rules, RECOVERY)):
        return Verdict(state=State.WARNED, reasons=reasons)
    return Verdict(state=State.HEALTHY)


def is_above_floor(reputation: Reputation, rules: Rules, reason: Reason) -> bool:
    """Whether there is enough of what *reason* speaks of for a pause: a rate of a few mails says nothing."""
    if reputation.outcomes < rules.minimum_outcomes:
        return False
    if reason is Reason.BOUNCES:
        return reputation.bounces >= rules.minimum_bounces
    return reputation.complaints >= rules.minimum_complaints


def is_undecided(reputation: Reputation, rules: Rules) -> bool:
    """Whether only the volume is missing for a verdict. Deliveries bring it, and wake no judge: look again later."""
    if reputation.outcomes >= rules.minimum_outcomes:
        return False
    above = _warning(reputation, rules, 1.0)
    bounces = Reason.BOUNCES in above and reputation.bounces >= rules.minimum_bounces
    return bounces or Reason.COMPLAINTS in above


def _pausing(reputation: Reputation, rules: Rules) -> tuple[Reason, ...]:
    above = _above(reputation, rules.bounce_pause, rules.complaint_pause)
    return tuple(reason for reason in above if is_above_floor(reputation, rules, reason))


def _warning(reputation: Reputation, rules: Rules, factor: float) -> tuple[Reason, ...]:
    above = _above(reputation, rules.bounce_warning * factor, rules.complaint_warning * factor)
    few = reputation.complaints < rules.minimum_warning_complaints * factor
    return tuple(reason for reason in above if not (few and reason is Reason.COMPLAINTS))


def _above(reputation: Reputation, bounce_rate: float, complaint_rate: float) -> tuple[Reason, ...]:
    above = {
        Reason.BOUNCES: reputation.bounce_rate >= bounce_rate,
        Reason.COMPLAINTS: reputation.complaint_rate >= complaint_rate,
    }
    return tuple(reason for reason, crossed in above.items() if crossed)
