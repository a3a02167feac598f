"""Bounds how many connections are made at once, so that waiting for our own CPU is not taken for a slow receiver.

An environment that meets hundreds of webhooks at once has hundreds of TLS handshakes to compute, a millisecond each and
more where the CPU is shared. If all began together, the last would end after the sum of them, and the time of every
attempt would be counted from the beginning.
"""

import asyncio
from types import TracebackType

AT_ONCE = 50
PAUSE = 0.05  # s after which the next one begins all the same: what fifty handshakes take of a core; answers take more
LATE = 0.02  # s: a timer that is later than this shows that the process has more to do than it gets CPU for


class Handshakes:
    """Gives *at_once* turns at a time, each over after *pause* seconds, or later while the process is short of CPU."""

    def __init__(self, at_once: int = AT_ONCE, pause: float = PAUSE) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._pause = pause

    def turn(self) -> "Turn":
        """A context that begins when there is a place. It may last longer than its turn."""
        return Turn(self._places, self._pause)


class Turn:
    """A place among those that connect, given back when the block or its time is over."""

    def __init__(self, places: asyncio.Semaphore, pause: float) -> None:
        self._places = places
        self._pause = pause
        self._over = False

    async def __aenter__(self) -> None:
        await self._places.acquire()
        self._wait()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._over:
            self._timer.cancel()
            self._places.release()

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._pause, self._end)

    def _end(self) -> None:
        if asyncio.get_running_loop().time() - self._timer.when() > LATE:
            self._wait()
            return
        self._over = True
        self._places.release()
