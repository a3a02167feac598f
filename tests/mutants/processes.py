"""Processes that are forked, run silently, and may not last for ever."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Generic, TypeVar

POLL = 0.01  # s
About = TypeVar("About")


class End(Enum):
    """How a process ended: with status 0, with another one, or killed because it took too long."""

    GOOD = auto()
    BAD = auto()
    LATE = auto()


@dataclass(frozen=True, slots=True)
class Job(Generic[About]):
    """What a process does: it exits with what `run` returns, and is killed after `longest` s."""

    about: About
    run: Callable[[], int]
    longest: float


def run_all(jobs: Sequence[Job[About]], *, at_once: int) -> Iterator[tuple[About, End]]:
    """What each job was about, and its end, as they end."""
    waiting = list(reversed(jobs))
    running: dict[int, tuple[About, float]] = {}
    while waiting or running:
        while waiting and len(running) < at_once:
            job = waiting.pop()
            running[fork(job.run)] = (job.about, time.monotonic() + job.longest)
        for pid, (about, deadline) in list(running.items()):
            if end := ended(pid, deadline):
                del running[pid]
                yield about, end
        time.sleep(POLL)


def fork(job: Callable[[], int]) -> int:
    """Run *job* in a process of its own, silently; the process's id. It exits with what *job* returns."""
    if pid := os.fork():
        return pid
    status = 1
    try:
        os.setsid()
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silence, stream)
        status = job()
    finally:
        os._exit(status)


def ended(pid: int, deadline: float) -> End | None:
    """How the process ended; None while it runs and its time is not over."""
    found, status = os.waitpid(pid, os.WNOHANG)
    late = not found and time.monotonic() > deadline
    if not found and not late:
        return None
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)  # and what the tests started and left: the CDK's Node
    if late:
        os.waitpid(pid, 0)
        return End.LATE
    return End.GOOD if status == 0 else End.BAD
