"""Runs the tests of a mutant in a process of its own, forked from one that has loaded the libraries already."""

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import ModuleType

import pytest

from tests.mutants.mutations import Mutant, mutated

_OURS = ("lambdas", "infra", "ops", "local", "benchmarks", "tests", "conftest")
_NOT_FORKABLE = ("aws_cdk", "jsii", "constructs", "cdk_nag", "xdist", "execnet", "coverage", "__main__")
_FAILED = (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)
LONGEST = 90.0  # s: a mutant that goes on for longer was noticed


class Fate(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    SURVIVED = "survived"
    UNTESTED = "untested"


@dataclass(frozen=True, slots=True)
class Work:
    """A mutant with the tests that may notice it."""

    mutant: Mutant
    tests: tuple[str, ...]


def preload(modules: Iterable[str]) -> None:
    """Import the libraries that the tests use, so that forked processes need not."""
    for name in modules:
        if name.partition(".")[0] not in (*_OURS, *_NOT_FORKABLE):
            with contextlib.suppress(BaseException):
                importlib.import_module(name)


def run(root: Path, work: Sequence[Work], *, jobs: int, report: Callable[[Mutant, Fate], None]) -> None:
    """Run every mutant's tests, *jobs* at a time; *report* hears of each as it ends."""
    waiting = list(reversed(work))
    running: dict[int, tuple[Mutant, float]] = {}
    while waiting or running:
        while waiting and len(running) < jobs:
            one = waiting.pop()
            if one.tests:
                running[_fork(root, one)] = (one.mutant, time.monotonic())
            else:
                report(one.mutant, Fate.UNTESTED)
        for pid, fate in _ended(running):
            report(running.pop(pid)[0], fate)
        time.sleep(0.02)


def _fork(root: Path, work: Work) -> int:
    if pid := os.fork():
        return pid
    status = 2
    try:
        os.setsid()
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silence, stream)
        status = _tested(root, work)
    finally:
        os._exit(status)


def _tested(root: Path, work: Work) -> int:
    """The exit status of a mutant's process: 0 if its tests pass."""
    sys.dont_write_bytecode = True
    sys.meta_path.insert(0, _Mutating(root, work.mutant))
    arguments = ["-x", "-q", "--no-header", "--tb=no", "--hypothesis-seed=0", "-p", "no:faulthandler", *work.tests]
    return int(pytest.main(arguments) != pytest.ExitCode.OK)


def _ended(running: dict[int, tuple[Mutant, float]]) -> Iterator[tuple[int, Fate]]:
    for pid, (_, started) in list(running.items()):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if not ended and time.monotonic() - started > LONGEST:
            os.killpg(pid, signal.SIGKILL)
            ended, status = os.waitpid(pid, 0)
        if ended:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)  # what the tests started and left: the CDK's Node
            yield pid, Fate.SURVIVED if status == 0 else Fate.KILLED


class _Mutating(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads the mutant's module from the changed tree, every other as ever."""

    def __init__(self, root: Path, mutant: Mutant) -> None:
        self._path = root / mutant.path
        self._name = mutant.path.removesuffix(".py").replace("/", ".")
        self._number = mutant.number

    def find_spec(
        self, fullname: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        """A spec for the mutant's module alone."""
        if fullname != self._name:
            return None
        return importlib.util.spec_from_file_location(fullname, self._path, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        """Run the changed code as the module."""
        tree = mutated(self._path.read_text(), self._number)
        exec(compile(tree, str(self._path), "exec"), module.__dict__)
