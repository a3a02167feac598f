"""Honest tenants are not paused, bad ones soon: simulated, seeded. benchmarks/verdicts.py prints the figures."""

import random
from statistics import median

import pytest

from benchmarks.verdicts import (
    BAD_BOUNCES,
    BAD_COMPLAINTS,
    DEFAULTS,
    FLOOR_OF_THREE,
    HONEST_BOUNCES,
    HONEST_COMPLAINTS,
    drawn_hours,
    mails_before_pause,
    windows,
    year_by_complaints,
    year_by_hours,
)
from lambdas.domain.reputation import measure


@pytest.mark.parametrize(("volume", "years"), [(20, 400), (100, 400), (1_000, 300), (10_000, 60), (50_000, 12)])
def test_an_honest_tenant_is_paused_wrongly_in_less_than_one_year_of_a_hundred(volume: int, years: int) -> None:
    """1 % bounces, 0.02 % complaints, up to 18 million mails a year."""
    paused = sum(year_by_complaints(volume, random.Random(seed)).paused for seed in range(years))
    assert paused <= years / 100


def test_a_floor_of_three_complaints_would_pause_honest_tenants() -> None:
    """Why the floor is higher: of 3,750 deliveries three complaints are 0.08 %, and chance enough brings them."""
    paused = sum(year_by_complaints(100, random.Random(seed), FLOOR_OF_THREE).paused for seed in range(100))
    assert paused > 25


@pytest.mark.parametrize("volume", [100, 10_000])
def test_hour_by_hour_it_is_the_same(volume: int) -> None:
    """With bounces drawn too: nobody is paused, and with a floor of three as many as the quick way says."""
    assert not any(year_by_hours(volume, random.Random(seed)).paused for seed in range(4))
    slow = sum(year_by_hours(volume, random.Random(seed), FLOOR_OF_THREE).paused for seed in range(12))
    quick = sum(year_by_complaints(volume, random.Random(seed), FLOOR_OF_THREE).paused for seed in range(12))
    assert abs(slow - quick) <= 6  # three standard deviations of the difference, and it is seeded


def test_the_simulated_window_is_the_one_that_is_measured() -> None:
    """Kept by differences, for speed."""
    generator = random.Random(1)
    hours = list(drawn_hours(3_000, generator, bounce_rate=HONEST_BOUNCES, complaint_rate=HONEST_COMPLAINTS))[:400]
    kept = list(windows(iter(hours), DEFAULTS))
    for last in (0, 5, 79, 80, 81, 200, 399):
        measured = measure(reversed(hours[: last + 1]), DEFAULTS)
        assert (kept[last].bounces, kept[last].complaints, kept[last].deliveries) == (
            measured.bounces,
            measured.complaints,
            measured.deliveries,
        )


@pytest.mark.parametrize(
    ("bounce_rate", "complaint_rate", "history", "limit"),
    [
        (BAD_BOUNCES, HONEST_COMPLAINTS, 0, 600),
        (BAD_BOUNCES, HONEST_COMPLAINTS, 20_000, 4_000),
        (HONEST_BOUNCES, BAD_COMPLAINTS, 0, 3_000),
    ],
)
def test_a_bad_tenant_is_paused_soon(bounce_rate: float, complaint_rate: float, history: int, limit: int) -> None:
    """At 10 % bounces with the first 600 mails, and within 4,000 after a good year."""
    out = [
        mails_before_pause(
            10_000, random.Random(seed), history=history, bounce_rate=bounce_rate, complaint_rate=complaint_rate
        )
        for seed in range(15)
    ]
    assert median(out) < limit
