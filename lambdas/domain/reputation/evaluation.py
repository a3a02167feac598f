"""Rates over the most recent representative volume, and the sending status that follows from them.

Bounce rate: bounces that count / (deliveries + bounces that count), in recipients. Complaint rate: complaints that
count / deliveries. What counts: `lambdas.domain.reputation.counting_rules`. The window extends back hour by hour
until it holds `window_outcomes` or is `window_days` long: SES's own rates are also taken over a volume, not over a
time.

Complaints are rare. In a window of 10,000 an honest tenant has two, and chance can make them four or eight. So a
complaint rate counts only if chance is an unlikely explanation (`_is_evident`). It is also taken over wider windows,
where the same rate is better evidence. docs/decisions/0601-floors.md has the reasons, `python -m
benchmarks.verdicts` the figures.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from lambdas.domain.reputation.ledger import begin_of, bucket_of

RECOVERY = 0.5  # of the warning's rate: a tenant near the threshold does not get a recovery notification every hour
HONEST = 0.5  # of the warning's rate: the assumed complaint rate of an honest tenant, 0.02 %
WIDER = (2, 4, 8, 16)  # times `window_outcomes`: the wider windows for complaints
RECENT = 0.5  # times `window_outcomes`: a narrower one, in which less good mail hides a change for the worse

# How often chance may bring the complaints of an honest tenant over a threshold, per day that the window took to fill.
# A tenant with ten times the volume fills ten times as many windows, so each of its windows must be ten times as
# certain.
PAUSE_CHANCE = 5e-7
RECENT_CHANCE = 1e-6  # a pause from the narrower window
WARNING_CHANCE = 5e-4
RECOVERY_CHANCE = 1e-2  # in any window: above it, chance explains what is left of the complaints
_SHORTEST = 3  # hours: the first and the last hour of a window are always partial

# Below `minimum_outcomes` a rate means little, but this many bounces are enough. With 1 % bounces chance never makes
# it.
ABSOLUTE_BOUNCES, ABSOLUTE_BOUNCE_RATE = 25, 0.10
ABSOLUTE_COMPLAINTS, ABSOLUTE_COMPLAINT_RATE = 13, 0.01

PROBATION = timedelta(days=7)  # after a tenant resumed itself
LOW_FLOOR_OUTCOMES = 100  # on probation, instead of `minimum_outcomes`
LOW_FLOOR_BOUNCES = 8  # of 100 to 150 outcomes: 10 % bounces almost always reach it; 1 % and one bad import do not


class SendingState(StrEnum):
    """An instance's sending state. Rates move it between HEALTHY and WARNED, and to PAUSED; only an operator
    resumes.
    """

    HEALTHY = "healthy"
    WARNED = "warned"
    PAUSED = "paused"


class Reason(StrEnum):
    """Which rate crossed its threshold."""

    BOUNCES = "bounce_rate"
    COMPLAINTS = "complaint_rate"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReputationRules:
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

    def with_low_floors(self) -> Self:
        """The rules on probation: the same thresholds, evaluated from 100 outcomes on."""
        return replace(
            self,
            minimum_outcomes=min(self.minimum_outcomes, LOW_FLOOR_OUTCOMES),
            minimum_bounces=max(self.minimum_bounces, LOW_FLOOR_BOUNCES),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HourCounts:
    """What was counted in one bucket (see `lambdas.domain.reputation.ledger.bucket_of`)."""

    bucket: str
    bounces: int = 0
    complaints: int = 0
    deliveries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reputation:
    """Counts of a window. `since` is its first bucket, None if nothing was counted; `hours` is the number of hours with
    mail.
    """

    bounces: int
    complaints: int
    deliveries: int
    since: str | None
    hours: int = 0

    @property
    def outcomes(self) -> int:
        """Mails with a known outcome, by recipient."""
        return self.deliveries + self.bounces

    @property
    def bounce_rate(self) -> float:
        """Share of outcomes that bounced; 0 without any."""
        return self.bounces / self.outcomes if self.outcomes else 0.0

    @property
    def complaint_rate(self) -> float:
        """Complaints divided by deliveries; the number of complaints while no delivery is counted yet."""
        return self.complaints / max(self.deliveries, self.complaints) if self.complaints else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Counts of the most recent representative volume, and of the windows in which complaints are looked for too.

    `wider` holds those for which there is enough mail; `recent` is None if there is not more mail than it would hold.
    """

    representative: Reputation
    wider: tuple[Reputation, ...] = ()
    recent: Reputation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The state that the rates ask for, and the rates that caused it. Without reasons the rates are fine or not yet
    conclusive.

    `evidence` is the window in which the reasons were found.
    """

    state: SendingState
    reasons: tuple[Reason, ...] = ()
    evidence: Reputation | None = field(default=None, compare=False)


def window_begin(rules: ReputationRules, *, baseline: datetime | None, now: datetime) -> str:
    """The oldest bucket that a rate may look at."""
    oldest = bucket_of(now - timedelta(days=rules.window_days))
    return max(oldest, begin_of(baseline)) if baseline else oldest


def measure(newest_first: Iterable[HourCounts], rules: ReputationRules) -> Reputation:
    """The counts of the most recent representative volume. Consumes no more of *newest_first* than it needs."""
    return _measured(newest_first, (rules.window_outcomes,))[0]


def measure_windows(newest_first: Iterable[HourCounts], rules: ReputationRules) -> Windows:
    """The most recent representative volume, and the windows around and within it."""
    found = _measured(newest_first, [rules.window_outcomes * times for times in (RECENT, 1, *WIDER)])
    if len(found) == 1:
        return Windows(representative=found[0])
    recent, representative, *wider = found
    return Windows(representative=representative, wider=tuple(wider), recent=recent)


def total(windows: Iterable[Reputation]) -> Reputation:
    """The counts of several instances together. `hours` is the longest of them, because they send at the same time."""
    parts = tuple(windows)
    return Reputation(
        bounces=sum(part.bounces for part in parts),
        complaints=sum(part.complaints for part in parts),
        deliveries=sum(part.deliveries for part in parts),
        since=min((part.since for part in parts if part.since), default=None),
        hours=max((part.hours for part in parts), default=0),
    )


def evaluate_windows(windows: Windows, rules: ReputationRules, state: SendingState) -> Decision:
    """The decision for an instance in *state*, from all its windows."""
    return evaluate(windows.representative, rules, state, wider=windows.wider, recent=windows.recent)


def evaluate(
    reputation: Reputation,
    rules: ReputationRules,
    state: SendingState,
    *,
    wider: Sequence[Reputation] = (),
    recent: Reputation | None = None,
) -> Decision:
    """The decision for an instance in *state*, from *reputation*, the *wider* windows around it and the *recent* one
    within it.
    """
    if state is SendingState.PAUSED:
        return Decision(state=state)
    if reasons := _pausing(reputation, rules):
        return Decision(state=SendingState.PAUSED, reasons=reasons, evidence=reputation)
    if reputation.outcomes < rules.minimum_outcomes:
        return Decision(state=state)
    if recent is not None and _complaints_pause(recent, rules, RECENT_CHANCE):
        return Decision(state=SendingState.PAUSED, reasons=(Reason.COMPLAINTS,), evidence=recent)
    for window in wider:
        if _complaints_pause(window, rules):
            return Decision(state=SendingState.PAUSED, reasons=(Reason.COMPLAINTS,), evidence=window)
    if reasons := _warning(reputation, rules):
        return Decision(state=SendingState.WARNED, reasons=reasons, evidence=reputation)
    for window in wider:
        if _complaints_warn(window, rules):
            return Decision(state=SendingState.WARNED, reasons=(Reason.COMPLAINTS,), evidence=window)
    if state is SendingState.WARNED and (reasons := _remaining(reputation, wider, rules)):
        return Decision(state=SendingState.WARNED, reasons=reasons, evidence=reputation)
    return Decision(state=SendingState.HEALTHY)


def is_above_floor(reputation: Reputation, rules: ReputationRules, reason: Reason) -> bool:
    """Whether *reason* rests on enough events for a pause: a rate of a few mails says little."""
    if reputation.outcomes < rules.minimum_outcomes:
        return False
    if reason is Reason.BOUNCES:
        return reputation.bounces >= rules.minimum_bounces
    return reputation.complaints >= rules.minimum_complaints


def is_undecided(reputation: Reputation, rules: ReputationRules) -> bool:
    """Whether only more volume is missing for a decision. Deliveries add volume without an evaluation: evaluate again
    later.
    """
    return reputation.outcomes < rules.minimum_outcomes and is_above_warning(reputation, rules)


def is_above_warning(reputation: Reputation, rules: ReputationRules) -> bool:
    """Whether enough bounces or complaints are above their warning rate, however few the outcomes."""
    bounces = reputation.bounces >= rules.minimum_bounces and reputation.bounce_rate >= rules.bounce_warning
    return bounces or _complaints_warn(reputation, rules)


def _measured(newest_first: Iterable[HourCounts], volumes: Sequence[float]) -> tuple[Reputation, ...]:
    """A window for each of *volumes* (ascending). Where the counts end earlier, only the windows that they begin to
    fill.
    """
    windows: list[Reputation] = []
    counts = Reputation(bounces=0, complaints=0, deliveries=0, since=None)
    for hour in newest_first:
        counts = Reputation(
            bounces=counts.bounces + hour.bounces,
            complaints=counts.complaints + hour.complaints,
            deliveries=counts.deliveries + hour.deliveries,
            since=hour.bucket,
            hours=counts.hours + 1,
        )
        while len(windows) < len(volumes) and counts.outcomes >= volumes[len(windows)]:
            windows.append(counts)
        if len(windows) == len(volumes):
            return tuple(windows)
    if not windows or windows[-1] != counts:
        windows.append(counts)
    return tuple(windows)


def _pausing(reputation: Reputation, rules: ReputationRules) -> tuple[Reason, ...]:
    found = {
        Reason.BOUNCES: _bounces_pause(reputation, rules),
        Reason.COMPLAINTS: _complaints_pause(reputation, rules),
    }
    return tuple(reason for reason, pauses in found.items() if pauses)


def _bounces_pause(reputation: Reputation, rules: ReputationRules) -> bool:
    if reputation.bounce_rate < rules.bounce_pause:
        return False
    if is_above_floor(reputation, rules, Reason.BOUNCES):
        return True
    return reputation.bounces >= ABSOLUTE_BOUNCES and reputation.bounce_rate >= ABSOLUTE_BOUNCE_RATE


def _complaints_pause(reputation: Reputation, rules: ReputationRules, chance_a_day: float = PAUSE_CHANCE) -> bool:
    if reputation.complaint_rate < rules.complaint_pause:
        return False
    if is_above_floor(reputation, rules, Reason.COMPLAINTS):
        return _is_evident(reputation, rules, chance_a_day)
    enough = reputation.complaints >= ABSOLUTE_COMPLAINTS
    return enough and reputation.complaint_rate >= ABSOLUTE_COMPLAINT_RATE


def _warning(reputation: Reputation, rules: ReputationRules) -> tuple[Reason, ...]:
    found = {
        Reason.BOUNCES: reputation.bounce_rate >= rules.bounce_warning,
        Reason.COMPLAINTS: _complaints_warn(reputation, rules),
    }
    return tuple(reason for reason, warns in found.items() if warns)


def _complaints_warn(reputation: Reputation, rules: ReputationRules) -> bool:
    enough = reputation.complaints >= rules.minimum_warning_complaints
    high = reputation.complaint_rate >= rules.complaint_warning
    return enough and high and _is_evident(reputation, rules, WARNING_CHANCE)


def _remaining(reputation: Reputation, wider: Sequence[Reputation], rules: ReputationRules) -> tuple[Reason, ...]:
    """The reasons that keep a warned instance from recovering."""
    found = {
        Reason.BOUNCES: reputation.bounce_rate >= rules.bounce_warning * RECOVERY,
        Reason.COMPLAINTS: any(_complaints_remain(window, rules) for window in (reputation, *wider)),
    }
    return tuple(reason for reason, remains in found.items() if remains)


def _complaints_remain(reputation: Reputation, rules: ReputationRules) -> bool:
    enough = reputation.complaints >= rules.minimum_warning_complaints * RECOVERY
    return enough and _chance_of(reputation, rules) <= RECOVERY_CHANCE


def _is_evident(reputation: Reputation, rules: ReputationRules, chance_a_day: float) -> bool:
    """Whether an honest tenant would have as many complaints no more often than *chance_a_day* allows."""
    days = max(reputation.hours, _SHORTEST) / 24
    return _chance_of(reputation, rules) <= min(chance_a_day * days, RECOVERY_CHANCE)


def _chance_of(reputation: Reputation, rules: ReputationRules) -> float:
    expected = max(reputation.deliveries, reputation.complaints) * rules.complaint_warning * HONEST
    return poisson_tail(reputation.complaints, expected)


def poisson_tail(count: int, mean: float) -> float:
    """The probability of *count* or more events where *mean* (over 0) are expected; 1.0 if *count* is at most
    the mean.
    """
    if count <= mean:
        return 1.0
    term = math.exp(count * math.log(mean) - mean - math.lgamma(count + 1))
    tail = 0.0
    while term > tail * 1e-9:
        tail += term
        count += 1
        term *= mean / count
    return tail
