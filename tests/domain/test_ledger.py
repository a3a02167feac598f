"""Which counter what counts goes to."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from lambdas.domain.ledger import begin_of, bucket_of, hour_of

BASELINE = datetime(2026, 11, 21, 4, 30, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "bucket"),
    [
        (datetime(2026, 11, 21, 4, 59, 59, tzinfo=UTC), "2026-11-21T04"),
        (datetime(2026, 11, 21, 5, tzinfo=UTC), "2026-11-21T05"),
        (datetime(2026, 11, 21, 1, tzinfo=timezone(timedelta(hours=-7))), "2026-11-21T08"),
    ],
)
def test_an_hour_is_utcs(moment: datetime, bucket: str) -> None:
    """Wherever the timestamp was written."""
    assert bucket_of(moment) == bucket


@pytest.mark.parametrize(
    ("moment", "bucket"),
    [
        (datetime(2026, 11, 21, 4, 45, tzinfo=UTC), "2026-11-21T04:30:07"),
        (datetime(2026, 11, 21, 4, 10, tzinfo=UTC), "2026-11-21T04:30:07"),
        (datetime(2026, 11, 20, 4, tzinfo=UTC), "2026-11-21T04:30:07"),
        (datetime(2026, 11, 21, 5, tzinfo=UTC), "2026-11-21T05"),
    ],
)
def test_a_baseline_parts_its_hour(moment: datetime, bucket: str) -> None:
    """A timestamp can precede its mail's: feedback on mail sent since the baseline is never before it."""
    assert bucket_of(moment, baseline=BASELINE) == bucket


def test_counters_sort_in_time() -> None:
    """The one that a baseline began stands between its hour and the next."""
    assert "2026-11-21T04" < begin_of(BASELINE) < "2026-11-21T05"


@pytest.mark.parametrize("bucket", ["2026-11-21T04", "2026-11-21T04:30:07"])
def test_a_counter_knows_when_it_begins(bucket: str) -> None:
    """Whichever of the two it is."""
    assert bucket_of(hour_of(bucket)) == "2026-11-21T04"
    assert hour_of("2026-11-21T04:30:07") == BASELINE
