"""The account's rate limiter: one call a second, whoever asks; pauses first."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

from lambdas.aws.dynamodb.rate_limiter import RateLimiter
from lambdas.aws.ses.rate_limit import RateLimit
from lambdas.domain.errors import Throttled
from tests.aws.tables import dynamodb_with

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

NOW = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)


@pytest.fixture
def dynamodb() -> Iterator["DynamoDBClient"]:
    """A rate limiter table."""
    with dynamodb_with("rate_limiter", keys=("bucket",)) as client:
        yield client


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_one_call_a_second_is_granted(dynamodb: "DynamoDBClient") -> None:
    """The others are told how long to wait; waiting reserves nothing."""
    rate_limiter = RateLimiter(dynamodb, "rate_limiter")
    assert rate_limiter.acquire(now=NOW) == 0
    assert rate_limiter.acquire(now=later(0.25)) == 0.75
    assert rate_limiter.acquire(now=later(0.5)) == 0.5
    assert rate_limiter.acquire(now=later(1)) == 0
    assert rate_limiter.acquire(now=later(1.1)) == 0.9


def test_all_who_share_the_table_share_the_pace(dynamodb: "DynamoDBClient") -> None:
    """It is the account's, not a process's."""
    assert RateLimiter(dynamodb, "rate_limiter").acquire(now=NOW) == 0
    assert RateLimiter(dynamodb, "rate_limiter").acquire(now=NOW) == 1
    assert RateLimiter(dynamodb, "rate_limiter", bucket="other").acquire(now=NOW) == 0


def test_a_quiet_time_saves_up_a_burst_and_no_more(dynamodb: "DynamoDBClient") -> None:
    """However long it was."""
    rate_limiter = RateLimiter(dynamodb, "rate_limiter", rate=2.0, burst=3)
    granted = [rate_limiter.acquire(now=NOW) for _ in range(4)]
    assert granted == [0, 0, 0, 0.5]
    assert [rate_limiter.acquire(now=later(3600)) for _ in range(4)] == [0, 0, 0, 0.5]


def test_a_pause_goes_at_once_and_the_others_wait_for_it(dynamodb: "DynamoDBClient") -> None:
    """It protects the account's reputation."""
    rate_limiter = RateLimiter(dynamodb, "rate_limiter")
    assert rate_limiter.acquire(now=NOW) == 0
    assert rate_limiter.acquire(now=NOW, priority=True) == 0
    assert rate_limiter.acquire(now=NOW) == 2


def test_two_at_the_same_moment_do_not_both_get_the_call(dynamodb: "DynamoDBClient") -> None:
    """The second sees the first's write, and is sent to wait."""
    rate_limiter, rival = RateLimiter(dynamodb, "rate_limiter"), RateLimiter(dynamodb, "rate_limiter")
    read = rate_limiter._tat

    def raced() -> float | None:
        known = read()
        with patch.object(rate_limiter, "_tat", read):
            assert rival.acquire(now=NOW) in (0, 1)
        return known

    with patch.object(rate_limiter, "_tat", raced):
        assert rate_limiter.acquire(now=NOW) > 0


def test_a_crowd_that_never_settles_is_sent_away_but_a_pause_goes(dynamodb: "DynamoDBClient") -> None:
    """Better one call too many than an account that is not protected."""
    rate_limiter = RateLimiter(dynamodb, "rate_limiter")
    with patch.object(rate_limiter, "_advance", lambda *_: False):
        assert rate_limiter.acquire(now=NOW) > 0
        assert rate_limiter.acquire(now=NOW, priority=True) == 0


def test_waiting_lasts_as_long_as_the_patience(dynamodb: "DynamoDBClient") -> None:
    """And then says when to come back."""
    slept: list[float] = []
    now = [NOW]

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += timedelta(seconds=seconds)

    rate_limit = RateLimit(RateLimiter(dynamodb, "rate_limiter"), max_wait=1.5, clock=lambda: now[0], sleep=sleep)
    rate_limit()
    rate_limit()
    assert slept == [1.0]
    RateLimiter(dynamodb, "rate_limiter").acquire(now=now[0], priority=True)
    with pytest.raises(Throttled) as slow:
        rate_limit()
    assert slow.value.wait == 2.0
