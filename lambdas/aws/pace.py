"""Waiting for the pacer's turn, as long as the caller has the patience."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from lambdas.aws.faults import Throttled


class Grants(Protocol):
    """See lambdas.aws.pacer."""

    def acquire(self, *, now: datetime, priority: bool = False) -> float: ...


class Pace:
    """Called before each call of SES's control plane: returns when it may go."""

    def __init__(
        self, pacer: Grants, *, patience: float, clock: Callable[[], datetime], sleep: Callable[[float], None]
    ) -> None:
        self._pacer = pacer
        self._patience = patience
        self._clock = clock
        self._sleep = sleep

    def __call__(self) -> None:
        """Wait for a turn, *patience* seconds at most; Throttled tells when to come back."""
        left = self._patience
        while wait := self._pacer.acquire(now=self._clock()):
            if wait > left:
                raise Throttled(wait, "the account's pacer has no turn free")
            self._sleep(wait)
            left -= wait
