"""Waits for the rate limiter, up to a limit that the caller sets."""

from collections.abc import Callable
from datetime import datetime

from lambdas.domain.errors import Throttled
from lambdas.domain.ports import RateLimiter


class RateLimit:
    """Called before each call of SES's control plane: returns when the call may be made."""

    def __init__(
        self,
        rate_limiter: RateLimiter,
        *,
        max_wait: float,
        clock: Callable[[], datetime],
        sleep: Callable[[float], None],
    ) -> None:
        self._rate_limiter = rate_limiter
        self._max_wait = max_wait
        self._clock = clock
        self._sleep = sleep

    def __call__(self) -> None:
        """Wait until a call is allowed, *max_wait* seconds at most; then raise Throttled with the time to wait."""
        left = self._max_wait
        while wait := self._rate_limiter.acquire(now=self._clock()):
            if wait > left:
                raise Throttled(wait, "the account's rate limiter allows no call now")
            self._sleep(wait)
            left -= wait
