"""When to try again."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.webhooks.retry_schedule import DEFAULT_WAITS, JITTER, RetrySchedule, retry_after

NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)


def test_the_retry_schedule_is_the_standards_and_lasts_about_three_days() -> None:
    """5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h."""
    waits = [RetrySchedule().wait(attempt, retry_after=None, jitter=0) for attempt in range(1, 11)]

    assert waits == [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400, None]
    assert 3 <= sum(DEFAULT_WAITS) / 86_400 <= 3.5


@given(attempt=st.integers(1, 9), jitter=st.floats(-1, 1), asked=st.none() | st.floats(0, 1e9))
def test_a_wait_stays_within_its_jitter_unless_more_was_asked_for(
    attempt: int, jitter: float, asked: float | None
) -> None:
    """And never beyond the retry schedule's longest, whatever was asked."""
    wait = RetrySchedule().wait(attempt, retry_after=asked, jitter=jitter)

    rung = DEFAULT_WAITS[attempt - 1]
    assert wait is not None
    assert wait >= rung * (1 - JITTER) - 1e-6
    assert wait <= max(rung * (1 + JITTER), min(asked or 0, DEFAULT_WAITS[-1])) + 1e-6


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("Sat, 21 Nov 2026 04:01:30 GMT", 90),
        ("Sat, 21 Nov 2026 03:00:00 GMT", 0),
        ("9" * 400, 999_999_999),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("", None),
        ("٣", None),
        ("Sat, 99 Nov 2026 04:01:30 GMT", None),
        (None, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    """Anything else asks for nothing."""
    assert retry_after(value, now=NOW) == seconds


@given(st.text())
def test_no_retry_after_raises(value: str) -> None:
    """A receiver writes what it likes."""
    retry_after(value, now=NOW)


def test_settings_spell_a_retry_schedule() -> None:
    """As the stack's context has it."""
    assert RetrySchedule.parse("1,2.5").waits == (1, 2.5)


def test_an_operators_schedule_is_written_in_seconds() -> None:
    """Fractions are for tests."""
    assert RetrySchedule.parse("5, 300,0.5") == RetrySchedule(waits=(5.0, 300.0, 0.5))


def test_a_wait_is_at_its_place_in_the_jitter_or_what_was_asked_for() -> None:
    """20 % at most; never beyond the longest wait."""
    schedule = RetrySchedule(waits=(10, 100))
    assert [schedule.wait(1, retry_after=None, jitter=jitter) for jitter in (-1, 0, 1)] == [8, 10, 12]
    assert [schedule.wait(1, retry_after=asked, jitter=1) for asked in (0, 12, 13, 100, 101)] == [12, 12, 13, 100, 100]
    assert schedule.wait(3, retry_after=5, jitter=0) is None


def test_a_date_without_a_zone_is_utc() -> None:
    """`-0000` in mail says that the zone is not known."""
    assert retry_after("Sat, 21 Nov 2026 04:01:30 -0000", now=NOW) == 90
