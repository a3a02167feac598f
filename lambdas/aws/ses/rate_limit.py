"""Waiting for the rate limiter's turn, as long as the caller has the patience."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from lambdas.domain.errors import Throttled


class Grants(Protocol):
    """See lambdas.aws.dynamodb.rate_limiter."""

    def acquire(self, *, now: datetime, priority: bool = False) -> float: ...


class RateLimit:
    """Called before each call of SES's control plane: returns when it may go."""

    def __init__(
        self, rate_limiter: Grants, *, max_wait: float, clock: Callable[[], datetime], sleep: Callable[[float], None]
    ) -> None:
        self._rate_limiter = rate_limiter
        self._max_wait = max_wait
        self._clock = clock
        self._sleep = sleep

    def __call__(self) -> None:
        """Wait for a turn, *patience* seconds at most; Throttled tells when to come back."""
        left = self._max_wait
        while wait := self._rate_limiter.acquire(now=self._clock()):
            if wait > left:
                raise Throttled(wait, "the account's pacer has no turn free")
            self._sleep(wait)
            left -= wait
