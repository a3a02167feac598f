"""Rates over the most recent representative volume, and what follows from them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lambdas.domain.reputation import (
    HourCounts,
    Reason,
    Reputation,
    State,
    Verdict,
    is_above_floor,
    is_undecided,
    judge,
    measure,
    window_begin,
)
from tests.reputation.fakes import RULES

NOW = datetime(2026, 11, 21, 5, 30, tzinfo=UTC)


def counts(*, bounces: int = 0, complaints: int = 0, deliveries: int = 0) -> Reputation:
    """A window's counts."""
    return Reputation(bounces=bounces, complaints=complaints, deliveries=deliveries, since="2026-11-21T04")


def test_the_bounce_rate_is_of_outcomes_the_complaint_rate_of_deliveries() -> None:
    """As SES reckons."""
    reputation = counts(bounces=20, complaints=2, deliveries=980)
    assert reputation.bounce_rate == 0.02
    assert reputation.complaint_rate == 2 / 980


def test_nothing_counted_is_a_rate_of_nothing() -> None:
    """No division by zero; a complaint ahead of its delivery is one of one."""
    assert counts().bounce_rate == counts().complaint_rate == 0.0
    assert counts(complaints=1).complaint_rate == 1.0


def test_the_window_ends_with_the_hour_that_fills_it() -> None:
    """Newest first; older hours are not even looked at."""
    hours = iter([HourCounts(bucket=f"2026-11-21T{23 - n:02}", deliveries=4_000, bounces=40) for n in range(10)])
    reputation = measure(hours, RULES)
    assert (reputation.deliveries, reputation.bounces, reputation.since) == (12_000, 120, "2026-11-21T21")
    assert len(list(hours)) == 7


def test_a_window_that_is_never_filled_holds_all_there_is() -> None:
    """Of a small tenant."""
    reputation = measure([HourCounts(bucket="b", deliveries=1), HourCounts(bucket="a", bounces=1, complaints=1)], RULES)
    assert reputation == Reputation(bounces=1, complaints=1, deliveries=1, since="a")


def test_a_window_looks_back_thirty_days_and_not_beyond_a_baseline() -> None:
    """A resume begins anew."""
    assert window_begin(RULES, baseline=None, now=NOW) == "2026-10-22T05"
    assert window_begin(RULES, baseline=NOW - timedelta(days=40), now=NOW) == "2026-10-22T05"
    assert window_begin(RULES, baseline=NOW, now=NOW) == "2026-11-21T05:30:00"


@pytest.mark.parametrize(
    ("reputation", "verdict"),
    [
        (counts(bounces=19, deliveries=981), Verdict(state=State.HEALTHY)),
        (counts(bounces=20, deliveries=980), Verdict(state=State.WARNED, reasons=(Reason.BOUNCES,))),
        (counts(bounces=39, deliveries=961), Verdict(state=State.WARNED, reasons=(Reason.BOUNCES,))),
        (counts(bounces=40, deliveries=960), Verdict(state=State.PAUSED, reasons=(Reason.BOUNCES,))),
        (counts(complaints=7, deliveries=20_000), Verdict(state=State.HEALTHY)),
        (counts(complaints=8, deliveries=20_000), Verdict(state=State.WARNED, reasons=(Reason.COMPLAINTS,))),
        (counts(complaints=15, deliveries=20_000), Verdict(state=State.WARNED, reasons=(Reason.COMPLAINTS,))),
        (counts(complaints=16, deliveries=20_000), Verdict(state=State.PAUSED, reasons=(Reason.COMPLAINTS,))),
        (
            counts(bounces=1_000, complaints=16, deliveries=19_000),
            Verdict(state=State.PAUSED, reasons=(Reason.BOUNCES, Reason.COMPLAINTS)),
        ),
    ],
)
def test_a_threshold_is_crossed_at_its_figure(reputation: Reputation, verdict: Verdict) -> None:
    """2 and 4 % of bounces, 0.04 and 0.08 % of complaints; one below is below."""
    assert judge(reputation, RULES, State.HEALTHY) == verdict


@pytest.mark.parametrize("state", State)
def test_there_is_no_verdict_under_the_floor(state: State) -> None:
    """The first bounce of a new tenant pauses nobody, and recovers nobody."""
    assert judge(counts(bounces=499), RULES, state) == Verdict(state=state)


def test_few_bounces_or_complaints_pause_nobody() -> None:
    """But they warn."""
    lenient = replace(RULES, minimum_bounces=25)
    assert judge(counts(bounces=24, deliveries=476), lenient, State.HEALTHY).state is State.WARNED
    assert judge(counts(complaints=12, deliveries=500), RULES, State.HEALTHY).state is State.WARNED
    assert judge(counts(complaints=13, deliveries=500), RULES, State.HEALTHY).state is State.PAUSED


def test_the_paused_stay_paused() -> None:
    """However good their rates are: only an operator resumes."""
    assert judge(counts(deliveries=100_000), RULES, State.PAUSED) == Verdict(state=State.PAUSED)


def test_the_warned_recover_well_below_the_warning() -> None:
    """Else a tenant at the threshold would be told each hour."""
    assert judge(counts(bounces=19, deliveries=981), RULES, State.WARNED).state is State.WARNED
    assert judge(counts(bounces=9, deliveries=991), RULES, State.WARNED) == Verdict(state=State.HEALTHY)


def test_a_few_complaints_warn_nobody() -> None:
    """One in 500 is 0.2 %; a warning takes as many as a full window has at the threshold."""
    assert judge(counts(complaints=3, deliveries=500), RULES, State.HEALTHY).state is State.HEALTHY
    assert judge(counts(complaints=4, deliveries=10_000), RULES, State.HEALTHY).state is State.WARNED


def test_a_floor_is_for_each_reason_its_own() -> None:
    """What SES reports counts only above it."""
    reputation = counts(bounces=5, complaints=12, deliveries=600)
    assert is_above_floor(reputation, RULES, Reason.BOUNCES)
    assert not is_above_floor(reputation, RULES, Reason.COMPLAINTS)
    assert not is_above_floor(counts(bounces=5, deliveries=400), RULES, Reason.BOUNCES)


@pytest.mark.parametrize(
    ("reputation", "undecided"),
    [
        (counts(bounces=5, deliveries=245), True),
        (counts(bounces=5, deliveries=246), False),
        (counts(bounces=4, deliveries=0), False),
        (counts(bounces=400, deliveries=100), False),
        (counts(complaints=4, deliveries=499), True),
        (counts(complaints=3, deliveries=499), False),
    ],
)
def test_bad_rates_of_too_few_mails_are_undecided(reputation: Reputation, undecided: bool) -> None:
    """Somebody must look again."""
    assert is_undecided(reputation, RULES) is undecided
