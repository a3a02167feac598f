"""AWS clients of a process that may die at any write: before it, or after AWS has taken it."""

import random
import threading
from typing import Any

_WRITES = frozenset({"update_item", "transact_write_items", "put_item", "send_message_batch"})


class Killed(BaseException):
    """The process is no more: nothing catches this."""


class Dying:
    """Wraps a client. Of its writes a share *deaths* kills the process, a share *faults* ends in an error.

    Half of either strikes after the call has succeeded: the caller cannot know.
    """

    def __init__(self, client: Any, generator: random.Random, *, deaths: float, faults: float = 0.0) -> None:
        self._client = client
        self._generator = generator
        self._deaths = deaths
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        """The client's method, in danger if it writes."""
        method = getattr(self._client, name)
        return self._endangered(method) if name in _WRITES else method

    def _endangered(self, method: Any) -> Any:
        def call(**arguments: Any) -> Any:
            fate, late = self._generator.random(), self._generator.random() < 0.5
            if not late:
                self._strike(fate)
            answer = method(**arguments)
            if late:
                self._strike(fate)
            return answer

        return call

    def _strike(self, fate: float) -> None:
        if fate < self._deaths:
            raise Killed
        if fate < self._deaths + self._faults:
            raise TimeoutError("no answer")


class Seeds:
    """A generator for each process that is started, so that a run can be repeated."""

    def __init__(self, seed: int) -> None:
        self._generator = random.Random(seed)
        self._lock = threading.Lock()

    def next(self) -> random.Random:
        """A new generator."""
        with self._lock:
            return random.Random(self._generator.getrandbits(64))
