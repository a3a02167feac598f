"""Honest tenants are not paused, bad ones soon: simulated, seeded. benchmarks/verdicts.py prints the figures."""

import random
from collections.abc import Callable, Iterator
from statistics import median

import pytest

from benchmarks.verdicts import (
    BAD_BOUNCES,
    BAD_COMPLAINTS,
    BEFORE,
    DEFAULTS,
    FLOOR_OF_THREE,
    HONEST_BOUNCES,
    HONEST_COMPLAINTS,
    TWICE_BOUNCES,
    TWICE_COMPLAINTS,
    Year,
    all_windows,
    by_evidence,
    drawn_hours,
    fixed_window,
    is_paused_on_probation,
    mails_before_pause,
    year_by_complaints,
    year_by_hours,
)
from lambdas.domain.reputation.evaluation import Reputation, Windows, measure_windows


@pytest.mark.parametrize(
    ("volume", "years"), [(20, 300), (100, 300), (1_000, 150), (10_000, 30), (50_000, 6), (200_000, 2)]
)
def test_an_honest_tenant_is_hardly_ever_paused_and_seldom_warned(volume: int, years: int) -> None:
    """1 % bounces, 0.02 % complaints, up to 73 million mails a year: the small part of what the benchmark runs."""
    lived = [year_by_complaints(volume, random.Random(seed)) for seed in range(years)]
    assert not any(year.paused for year in lived)
    assert sum(year.warnings for year in lived) <= 4 * years


def test_one_fixed_window_would_pause_and_warn_honest_tenants() -> None:
    """Why evidence is weighed: 14,600 complaints a year meet in one window often enough."""
    lived = [year_by_complaints(200_000, random.Random(seed), BEFORE, rule=fixed_window) for seed in range(6)]
    assert any(year.paused for year in lived)
    assert year_by_complaints(10_000, random.Random(0), BEFORE, rule=fixed_window).warnings > 20


@pytest.mark.parametrize("volume", [100, 10_000])
def test_hour_by_hour_it_is_the_same(volume: int) -> None:
    """With bounces drawn too: nobody is paused, and with a floor of three as many as the quick way says."""
    assert not any(year_by_hours(volume, random.Random(seed)).paused for seed in range(2))
    slow = sum(_paused_by_three(year_by_hours, volume, seed) for seed in range(8))
    quick = sum(_paused_by_three(year_by_complaints, volume, seed) for seed in range(8))
    assert abs(slow - quick) <= 5  # three standard deviations of the difference, and it is seeded


def _paused_by_three(year: Callable[..., Year], volume: int, seed: int) -> bool:
    return year(volume, random.Random(seed), FLOOR_OF_THREE, rule=fixed_window).paused


def test_the_simulated_windows_are_those_that_are_measured() -> None:
    """Kept by differences, for speed."""
    generator = random.Random(1)
    hours = list(drawn_hours(30_000, generator, bounce_rate=HONEST_BOUNCES, complaint_rate=HONEST_COMPLAINTS))[:200]
    kept = list(all_windows(iter(hours), DEFAULTS))
    for last in (0, 5, 8, 9, 80, 130, 199):
        measured = measure_windows(reversed(hours[: last + 1]), DEFAULTS)
        assert list(dict.fromkeys(_flat(kept[last]))) == list(dict.fromkeys(_flat(measured)))


def _flat(windows: Windows) -> Iterator[Reputation]:
    yield from filter(None, (windows.recent, windows.representative, *windows.wider))


@pytest.mark.parametrize(
    ("bounce_rate", "complaint_rate", "history", "limit"),
    [
        (BAD_BOUNCES, HONEST_COMPLAINTS, 0, 510),
        (BAD_BOUNCES, HONEST_COMPLAINTS, 20_000, 4_000),
        (HONEST_BOUNCES, BAD_COMPLAINTS, 0, 3_000),
    ],
)
def test_a_bad_tenant_is_paused_soon(bounce_rate: float, complaint_rate: float, history: int, limit: int) -> None:
    """At 10 % bounces with the first 500 mails or so, and within 4,000 after a good year."""
    out = [
        mails_before_pause(
            10_000, random.Random(seed), history=history, bounce_rate=bounce_rate, complaint_rate=complaint_rate
        )
        for seed in range(15)
    ]
    assert median(out) < limit


@pytest.mark.parametrize("history", [0, 20_000])
@pytest.mark.parametrize(
    ("bounce_rate", "complaint_rate"), [(TWICE_BOUNCES, HONEST_COMPLAINTS), (HONEST_BOUNCES, TWICE_COMPLAINTS)]
)
def test_weighing_evidence_lets_no_more_bad_mail_out(bounce_rate: float, complaint_rate: float, history: int) -> None:
    """At twice a threshold: at most 110 % of what the fixed window let out."""
    before, after = (
        sum(
            mails_before_pause(
                10_000,
                random.Random(seed),
                history=history,
                bounce_rate=bounce_rate,
                complaint_rate=complaint_rate,
                rules=rules,
                rule=rule,
            )
            for seed in range(10)
        )
        for rules, rule in ((BEFORE, fixed_window), (DEFAULTS, by_evidence))
    )
    assert after <= 1.1 * before


def test_a_large_tenant_that_turns_bad_is_paused_as_soon_as_by_one_fixed_window() -> None:
    """At 200,000 mails a day good mail of before fills much of a window, but not of the narrower one."""
    before, after = (
        sum(
            mails_before_pause(
                200_000,
                random.Random(seed),
                history=20_000,
                bounce_rate=HONEST_BOUNCES,
                complaint_rate=TWICE_COMPLAINTS,
                rules=rules,
                rule=rule,
            )
            for seed in range(200)
        )
        for rules, rule in ((BEFORE, fixed_window), (DEFAULTS, by_evidence))
    )
    assert after <= 1.1 * before


def test_on_probation_a_repeat_offender_is_paused_soon_and_an_honest_tenant_is_not() -> None:
    """10 % bounces within 150 outcomes; 1 % bounces and an import of 30 addresses with three dead ones."""
    tries = 200
    offender = [is_paused_on_probation(random.Random(n), outcomes=150, bounce_rate=0.1) for n in range(tries)]
    honest = [
        is_paused_on_probation(random.Random(n), outcomes=500, bounce_rate=0.01, bad_import=3) for n in range(tries)
    ]
    assert sum(offender) >= 0.95 * tries
    assert sum(honest) <= 0.05 * tries
