"""Rates over the most recent representative volume, and what follows from them."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lambdas.domain.reputation.evaluation import (
    PROBATION,
    Decision,
    HourCounts,
    Reason,
    Reputation,
    SendingState,
    Windows,
    evaluate,
    evaluate_windows,
    is_above_floor,
    is_above_warning,
    is_undecided,
    measure,
    measure_windows,
    poisson_tail,
    total,
    window_begin,
)
from tests.reputation.fakes import RULES

NOW = datetime(2026, 11, 21, 5, 30, tzinfo=UTC)


def counts(*, bounces: int = 0, complaints: int = 0, deliveries: int = 0, hours: int = 24) -> Reputation:
    """A window's counts."""
    return Reputation(bounces=bounces, complaints=complaints, deliveries=deliveries, since="2026-11-21T04", hours=hours)


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
    assert reputation == Reputation(bounces=1, complaints=1, deliveries=1, since="a", hours=2)


def test_a_window_looks_back_thirty_days_and_not_beyond_a_baseline() -> None:
    """A resume begins anew."""
    assert window_begin(RULES, baseline=None, now=NOW) == "2026-10-22T05"
    assert window_begin(RULES, baseline=NOW - timedelta(days=40), now=NOW) == "2026-10-22T05"
    assert window_begin(RULES, baseline=NOW, now=NOW) == "2026-11-21T05:30:00"


@pytest.mark.parametrize(
    ("reputation", "verdict"),
    [
        (counts(bounces=19, deliveries=981), Decision(state=SendingState.HEALTHY)),
        (counts(bounces=20, deliveries=980), Decision(state=SendingState.WARNED, reasons=(Reason.BOUNCES,))),
        (counts(bounces=39, deliveries=961), Decision(state=SendingState.WARNED, reasons=(Reason.BOUNCES,))),
        (counts(bounces=40, deliveries=960), Decision(state=SendingState.PAUSED, reasons=(Reason.BOUNCES,))),
        (counts(complaints=3, deliveries=1_000), Decision(state=SendingState.HEALTHY)),
        (counts(complaints=4, deliveries=1_000), Decision(state=SendingState.WARNED, reasons=(Reason.COMPLAINTS,))),
        (counts(complaints=15, deliveries=40_000), Decision(state=SendingState.HEALTHY)),
        (counts(complaints=63, deliveries=79_000), Decision(state=SendingState.WARNED, reasons=(Reason.COMPLAINTS,))),
        (counts(complaints=64, deliveries=80_000), Decision(state=SendingState.PAUSED, reasons=(Reason.COMPLAINTS,))),
        (
            counts(bounces=1_000, complaints=40, deliveries=19_000),
            Decision(state=SendingState.PAUSED, reasons=(Reason.BOUNCES, Reason.COMPLAINTS)),
        ),
    ],
)
def test_a_threshold_is_crossed_at_its_figure(reputation: Reputation, verdict: Decision) -> None:
    """2 and 4 % of bounces, 0.04 and 0.08 % of complaints; one below is below."""
    assert evaluate(reputation, RULES, SendingState.HEALTHY) == verdict


@pytest.mark.parametrize("state", SendingState)
@pytest.mark.parametrize(
    "few",
    [
        counts(bounces=24),
        counts(bounces=25, deliveries=226),
        counts(bounces=49, deliveries=450),
        counts(complaints=12, deliveries=13),
        counts(complaints=4, deliveries=450),
    ],
)
def test_below_the_floor_a_few_bounces_change_nothing(state: SendingState, few: Reputation) -> None:
    """The first bounce of a new tenant pauses nobody, and recovers nobody."""
    assert evaluate(few, RULES, state) == Decision(state=state)


@pytest.mark.parametrize(
    ("much", "reason"),
    [
        (counts(bounces=25), Reason.BOUNCES),
        (counts(bounces=25, deliveries=225), Reason.BOUNCES),
        (counts(bounces=499), Reason.BOUNCES),
        (counts(complaints=13), Reason.COMPLAINTS),
        (counts(complaints=13, deliveries=499), Reason.COMPLAINTS),
    ],
)
def test_below_the_floor_many_bounces_or_complaints_pause(much: Reputation, reason: Reason) -> None:
    """Else 40 new instances could each send 499 bad mails."""
    assert evaluate(much, RULES, SendingState.HEALTHY) == Decision(state=SendingState.PAUSED, reasons=(reason,))
    assert evaluate(much, RULES, SendingState.WARNED).state is SendingState.PAUSED


def test_an_operator_who_allows_more_bounces_allows_them_below_the_floor_too() -> None:
    """The absolute rule is never stricter than the threshold."""
    lenient = replace(RULES, bounce_warning=0.2, bounce_pause=0.5)
    assert evaluate(counts(bounces=49, deliveries=150), lenient, SendingState.HEALTHY).state is SendingState.HEALTHY


def test_few_bounces_or_complaints_pause_nobody() -> None:
    """But they warn."""
    lenient = replace(RULES, minimum_bounces=25)
    assert evaluate(counts(bounces=24, deliveries=476), lenient, SendingState.HEALTHY).state is SendingState.WARNED
    assert evaluate(counts(complaints=12, deliveries=500), RULES, SendingState.HEALTHY).state is SendingState.WARNED
    assert evaluate(counts(complaints=13, deliveries=500), RULES, SendingState.HEALTHY).state is SendingState.PAUSED


def test_the_paused_stay_paused() -> None:
    """However good their rates are: only an operator resumes."""
    assert evaluate(counts(deliveries=100_000), RULES, SendingState.PAUSED) == Decision(state=SendingState.PAUSED)


def test_the_warned_recover_well_below_the_warning() -> None:
    """Else a tenant at the threshold would be told each hour."""
    assert evaluate(counts(bounces=19, deliveries=981), RULES, SendingState.WARNED).state is SendingState.WARNED
    assert evaluate(counts(bounces=9, deliveries=991), RULES, SendingState.WARNED) == Decision(
        state=SendingState.HEALTHY
    )


def test_a_few_complaints_warn_nobody() -> None:
    """One in 500 is 0.2 %, and says nothing."""
    assert evaluate(counts(complaints=3, deliveries=500), RULES, SendingState.HEALTHY).state is SendingState.HEALTHY
    assert evaluate(counts(complaints=4, deliveries=500), RULES, SendingState.HEALTHY).state is SendingState.WARNED


@pytest.mark.parametrize(
    ("complaints", "deliveries", "hours", "state"),
    [
        (8, 10_000, 24, SendingState.HEALTHY),
        (9, 10_000, 24, SendingState.WARNED),
        (12, 10_000, 24, SendingState.WARNED),
        (13, 10_000, 24, SendingState.PAUSED),
        (13, 10_000, 2, SendingState.WARNED),
        (14, 10_000, 2, SendingState.PAUSED),
    ],
)
def test_complaints_that_chance_brings_to_an_honest_tenant_do_not_count(
    complaints: int, deliveries: int, hours: int, state: SendingState
) -> None:
    """Two of 10,000 are honest, four are chance. Who fills a window in two hours has 4,000 of them a year."""
    reputation = counts(complaints=complaints, deliveries=deliveries, hours=hours)
    assert evaluate(reputation, RULES, SendingState.HEALTHY).state is state


def test_the_same_rate_is_better_evidence_in_a_wider_window() -> None:
    """Eight of 10,000 may be chance; 64 of 80,000 are the same rate, and none."""
    newest = counts(complaints=8, deliveries=10_000)
    wide = counts(complaints=64, deliveries=80_000, hours=192)
    assert evaluate(newest, RULES, SendingState.HEALTHY).state is SendingState.HEALTHY
    verdict = evaluate(newest, RULES, SendingState.HEALTHY, wider=(wide,))
    assert (verdict.state, verdict.reasons, verdict.evidence) == (SendingState.PAUSED, (Reason.COMPLAINTS,), wide)
    warning = evaluate(
        counts(deliveries=10_000), RULES, SendingState.HEALTHY, wider=(replace(wide, complaints=40, deliveries=80_000),)
    )
    assert (warning.state, warning.reasons) == (SendingState.WARNED, (Reason.COMPLAINTS,))


def test_bounces_are_looked_for_in_the_newest_window_alone() -> None:
    """They are frequent enough; what was bad a week ago and is mended pauses nobody."""
    mended = counts(bounces=800, deliveries=9_200), counts(bounces=100, deliveries=9_900)
    assert evaluate(mended[1], RULES, SendingState.HEALTHY, wider=(mended[0],)).state is SendingState.HEALTHY


def test_a_warning_for_complaints_ends_when_chance_explains_what_is_left() -> None:
    """Not when the rate is at nothing: an honest tenant has complaints too."""
    wide = counts(complaints=12, deliveries=20_000, hours=48)
    assert evaluate(counts(complaints=3, deliveries=10_000), RULES, SendingState.WARNED).state is SendingState.HEALTHY
    assert evaluate(counts(complaints=6, deliveries=10_000), RULES, SendingState.WARNED).state is SendingState.HEALTHY
    assert evaluate(counts(complaints=7, deliveries=10_000), RULES, SendingState.WARNED).reasons == (Reason.COMPLAINTS,)
    assert evaluate(counts(deliveries=10_000), RULES, SendingState.WARNED, wider=(wide,)).state is SendingState.WARNED


def test_on_probation_a_hundred_outcomes_are_enough() -> None:
    """With at least eight bounces: an honest tenant has one or two."""
    low = RULES.with_low_floors()
    assert evaluate(counts(bounces=8, deliveries=92), RULES, SendingState.HEALTHY).state is SendingState.HEALTHY
    assert evaluate(counts(bounces=8, deliveries=92), low, SendingState.HEALTHY).state is SendingState.PAUSED
    assert evaluate(counts(bounces=7, deliveries=93), low, SendingState.HEALTHY).state is SendingState.WARNED
    assert evaluate(counts(bounces=8, deliveries=91), low, SendingState.HEALTHY).state is SendingState.HEALTHY
    assert evaluate(counts(bounces=8, deliveries=193), low, SendingState.HEALTHY).state is SendingState.WARNED


def test_windows_widen_until_the_counts_end() -> None:
    """Twice, four, eight and sixteen times the volume; a wider one that adds nothing is left out."""
    hours = [HourCounts(bucket=f"b{n:02}", deliveries=5_000, complaints=1) for n in range(9)]
    windows = measure_windows(iter(hours), RULES)
    measured = [windows.recent, windows.representative, *windows.wider]
    assert [(window.deliveries, window.complaints, window.hours) for window in measured if window] == [
        (5_000, 1, 1),
        (10_000, 2, 2),
        (20_000, 4, 4),
        (40_000, 8, 8),
        (45_000, 9, 9),
    ]
    assert measure_windows(iter([hours[0]] * 40), RULES).wider[-1].deliveries == 160_000
    assert [window.hours for window in measure_windows(iter(hours[:4]), RULES).wider] == [4]
    assert measure_windows(iter([]), RULES) == Windows(representative=measure([], RULES))
    assert measure_windows(iter(hours[:1]), RULES) == Windows(representative=measure(hours[:1], RULES))


def test_a_change_for_the_worse_is_evident_sooner_in_a_narrower_window() -> None:
    """Good mail of before makes 13 of 16,000 look like chance; it is not in the last 5,500. It never warns."""
    rules = replace(RULES, minimum_complaints=11)
    whole = counts(complaints=13, deliveries=16_000, hours=2)
    recent = counts(complaints=11, deliveries=5_500, hours=1)
    assert evaluate(whole, rules, SendingState.HEALTHY).state is SendingState.WARNED
    decision = evaluate(whole, rules, SendingState.HEALTHY, recent=recent)
    assert (decision.state, decision.reasons, decision.evidence) == (
        SendingState.PAUSED,
        (Reason.COMPLAINTS,),
        recent,
    )
    chance = replace(recent, deliveries=10_000)
    assert evaluate(whole, rules, SendingState.HEALTHY, recent=chance).state is SendingState.WARNED
    fine = counts(complaints=2, deliveries=16_000, hours=2)
    assert (
        evaluate(fine, rules, SendingState.HEALTHY, recent=replace(recent, complaints=8)).state is SendingState.HEALTHY
    )


def test_counts_of_several_instances_add_up() -> None:
    """The earliest bucket of all; the longest of the windows, as they run side by side."""
    parts = (counts(bounces=1, deliveries=5, hours=3), counts(complaints=2, deliveries=7, hours=9), measure([], RULES))
    assert total(parts) == Reputation(bounces=1, complaints=2, deliveries=12, since="2026-11-21T04", hours=9)
    assert total([]) == measure([], RULES)


@pytest.mark.parametrize(("count", "mean"), [(0, 1.0), (1, 1.0), (2, 1.0), (13, 2.0), (40, 16.0), (200, 160.0)])
def test_the_tail_of_a_poisson_variable(count: int, mean: float) -> None:
    """Against the sum of the terms below it; no more than the mean is no surprise at all."""
    below = sum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count))
    expected = 1.0 if count <= mean else 1.0 - below
    assert poisson_tail(count, mean) == pytest.approx(expected, rel=1e-6)


def test_a_decision_names_the_window_that_shows_why() -> None:
    """The notification's figures are those of this window."""
    warned = counts(bounces=20, deliveries=980)
    assert evaluate(warned, RULES, SendingState.HEALTHY).evidence == warned
    paused = counts(bounces=40, deliveries=960)
    assert evaluate(paused, RULES, SendingState.HEALTHY).evidence == paused
    newest, wide = counts(deliveries=10_000), counts(complaints=40, deliveries=80_000, hours=192)
    assert evaluate(newest, RULES, SendingState.HEALTHY, wider=(wide,)).evidence == wide
    remaining = counts(bounces=19, deliveries=981)
    assert evaluate(remaining, RULES, SendingState.WARNED).evidence == remaining
    assert evaluate(newest, RULES, SendingState.HEALTHY).evidence is None


def test_all_windows_of_an_instance_are_looked_at() -> None:
    """The wider ones and the narrower one."""
    fine = counts(deliveries=10_000)
    wide = counts(complaints=64, deliveries=80_000, hours=192)
    recent = counts(complaints=13, deliveries=5_000, hours=1)
    for windows, evidence in (
        (Windows(representative=fine, wider=(wide,)), wide),
        (Windows(representative=fine, recent=recent), recent),
        (Windows(representative=fine), None),
    ):
        decision = evaluate_windows(windows, RULES, SendingState.HEALTHY)
        assert (decision.state is SendingState.PAUSED, decision.evidence) == (evidence is not None, evidence)


@pytest.mark.parametrize(
    ("reputation", "bounces", "complaints"),
    [
        (counts(bounces=5, complaints=13, deliveries=495), True, True),
        (counts(bounces=5, complaints=13, deliveries=494), False, False),
        (counts(bounces=4, complaints=13, deliveries=496), False, True),
        (counts(bounces=5, complaints=12, deliveries=495), True, False),
    ],
)
def test_a_reason_rests_on_enough_outcomes_and_on_enough_of_its_kind(
    reputation: Reputation, bounces: bool, complaints: bool
) -> None:
    """500 outcomes; five bounces, thirteen complaints."""
    assert is_above_floor(reputation, RULES, Reason.BOUNCES) is bounces
    assert is_above_floor(reputation, RULES, Reason.COMPLAINTS) is complaints


@pytest.mark.parametrize(
    ("reputation", "above", "undecided"),
    [
        (counts(bounces=5, deliveries=245), True, True),
        (counts(bounces=5, deliveries=246), False, False),
        (counts(bounces=4, deliveries=10), False, False),
        (counts(bounces=10, deliveries=489), True, True),
        (counts(bounces=10, deliveries=490), True, False),
        (counts(complaints=4, deliveries=100), True, True),
        (counts(complaints=3, deliveries=100), False, False),
        (counts(deliveries=100), False, False),
    ],
)
def test_only_volume_is_missing_where_a_rate_is_above_its_warning_below_500_outcomes(
    reputation: Reputation, above: bool, undecided: bool
) -> None:
    """With at least five bounces or four complaints; such an instance is evaluated again as deliveries come."""
    assert is_above_warning(reputation, RULES) is above
    assert is_undecided(reputation, RULES) is undecided


def test_the_absolute_limit_of_complaints_is_reached_at_its_figure() -> None:
    """One in a hundred, where there is not enough mail for the rates."""
    strict = replace(RULES, minimum_outcomes=5_000)
    paused = evaluate(counts(complaints=13, deliveries=1_300), strict, SendingState.HEALTHY)
    assert (paused.state, paused.reasons) == (SendingState.PAUSED, (Reason.COMPLAINTS,))
    assert evaluate(counts(complaints=13, deliveries=1_301), strict, SendingState.HEALTHY).state is SendingState.HEALTHY
    assert evaluate(counts(complaints=12, deliveries=100), strict, SendingState.HEALTHY).state is SendingState.HEALTHY


def test_the_floors_of_a_probation_are_low_and_never_less_strict_than_the_operators() -> None:
    """100 outcomes, eight bounces; all else stays."""
    assert RULES.with_low_floors() == replace(RULES, minimum_outcomes=100, minimum_bounces=8)
    assert timedelta(days=7) == PROBATION
    own = replace(RULES, minimum_outcomes=50, minimum_bounces=9)
    assert own.with_low_floors() == own


def test_what_a_few_complaints_leave_of_a_warning() -> None:
    """One may be chance in whatever volume; two in a small one are not."""
    assert evaluate(counts(complaints=1, deliveries=500), RULES, SendingState.WARNED).state is SendingState.HEALTHY
    assert evaluate(counts(complaints=2, deliveries=500), RULES, SendingState.WARNED).state is SendingState.WARNED
    assert evaluate(counts(complaints=2, deliveries=5_000), RULES, SendingState.WARNED).state is SendingState.HEALTHY
    newest, wide = counts(deliveries=10_000), counts(complaints=10, deliveries=20_000, hours=48)
    assert evaluate(newest, RULES, SendingState.HEALTHY, wider=(wide,)).state is SendingState.HEALTHY
    assert evaluate(newest, RULES, SendingState.WARNED, wider=(wide,)).reasons == (Reason.COMPLAINTS,)


def test_half_of_the_bounces_warning_ends_it() -> None:
    """1 % and no less, so that an instance at the threshold is not told each hour."""
    assert evaluate(counts(bounces=10, deliveries=990), RULES, SendingState.WARNED).reasons == (Reason.BOUNCES,)
    assert evaluate(counts(bounces=10, deliveries=991), RULES, SendingState.WARNED).state is SendingState.HEALTHY
