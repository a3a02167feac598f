"""Resolves webhooks' names: every address is checked, look-ups are bounded for each service instance.

A name server that hangs holds a thread for as long as the system's resolver waits. So each instance has few look-ups
at a time, and a look-up's own time begins when it has its thread: waiting for one is not a failure.
"""

import asyncio
import socket
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from lambdas.domain.webhooks.address_rules import AddressRules, is_address

LOOKUPS = 128  # threads, and sockets, at a time
LOOKUPS_PER_INSTANCE = 2
LOOKUP_DEADLINE = 5.0  # s: glibc's own time-out for one name server
KEPT = 10.0  # s: a receiver that moves is followed soon, a busy one is not looked up for every attempt
_MAX_KEPT = 10_000  # names

LookUp = Callable[[str], Sequence[str]]


class Unreachable(Exception):
    """A webhook cannot be connected to; the message says why, in words for the tenant."""


def system_lookup(host: str) -> list[str]:
    """All addresses of *host*, from the system's resolver. Raises OSError, UnicodeError."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class NameResolver:
    """Resolves names to addresses that *rules* admit. A name with any address that is not allowed is refused whole."""

    def __init__(
        self,
        rules: AddressRules,
        look_up: LookUp = system_lookup,
        *,
        lookups: int = LOOKUPS,
        per_instance: int = LOOKUPS_PER_INSTANCE,
        deadline: float = LOOKUP_DEADLINE,
        kept: float = KEPT,
    ) -> None:
        self._rules = rules
        self._look_up = look_up
        self._deadline = deadline
        self._kept_for = kept
        self._threads = ThreadPoolExecutor(lookups, thread_name_prefix="resolve")
        self._all = asyncio.Semaphore(lookups)
        self._of_instance: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(per_instance))
        self._kept: dict[str, tuple[float, tuple[str, ...]]] = {}
        self._pending: dict[tuple[str, str], asyncio.Future[tuple[str, ...]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def resolve(self, instance_id: str, host: str) -> tuple[str, ...]:
        """The addresses of *host*, a name or an address, for a webhook of *instance_id*. Raises Unreachable.

        Waits as long as the instance's other look-ups take; callers bound that.
        """
        if is_address(host):
            return self._checked((host,))
        until, addresses = self._kept.get(host, (0.0, ()))
        if asyncio.get_running_loop().time() < until:
            return addresses
        key = (instance_id, host)
        if key not in self._pending:
            self._start(key)
        return await asyncio.shield(self._pending[key])

    def close(self) -> None:
        """Release the threads without waiting for those that hang."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _start(self, key: tuple[str, str]) -> None:
        answer: asyncio.Future[tuple[str, ...]] = asyncio.get_running_loop().create_future()
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may be waiting any more
        self._pending[key] = answer
        task = asyncio.create_task(self._resolve(key, answer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _resolve(self, key: tuple[str, str], answer: "asyncio.Future[tuple[str, ...]]") -> None:
        """Look a name up. The places of instance and process stay taken until the thread is done, time-out or not."""
        instance_id, host = key
        loop = asyncio.get_running_loop()
        async with self._of_instance[instance_id], self._all:
            timer = loop.call_later(self._deadline, _fail, answer, Unreachable("name server did not answer"))
            try:
                found = tuple(await loop.run_in_executor(self._threads, self._look_up, host))
                self._keep(host, self._checked(found))
                if not answer.done():
                    answer.set_result(found)
            except Unreachable as refusal:
                _fail(answer, refusal)
            except (OSError, UnicodeError):
                _fail(answer, Unreachable("host not found"))
            finally:
                timer.cancel()
                del self._pending[key]

    def _keep(self, host: str, addresses: tuple[str, ...]) -> None:
        if len(self._kept) >= _MAX_KEPT:
            self._kept.clear()
        self._kept[host] = (asyncio.get_running_loop().time() + self._kept_for, addresses)

    def _checked(self, addresses: tuple[str, ...]) -> tuple[str, ...]:
        if not addresses or not all(map(self._rules.admits, addresses)):
            raise Unreachable("address not allowed")
        return addresses


def _fail(answer: "asyncio.Future[tuple[str, ...]]", reason: Unreachable) -> None:
    if not answer.done():
        answer.set_exception(reason)
