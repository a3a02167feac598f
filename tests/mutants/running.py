"""Runs the tests of a mutant in a process of its own, forked from one that has loaded the libraries already."""

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

from tests.infra.kept import KEPT_IN
from tests.mutants.mutations import Mutant, mutated

_OURS = ("lambdas", "infra", "ops", "local", "benchmarks", "tests", "conftest")
_NOT_FORKABLE = ("aws_cdk", "jsii", "constructs", "cdk_nag", "xdist", "execnet", "coverage", "__main__")
_ARGUMENTS = (  # plugins that were loaded already are no news
    *("-x", "-q", "--no-header", "--tb=no", "--hypothesis-seed=0", "-p", "no:faulthandler"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)
LONGEST = 240.0  # s: a mutant that goes on for longer was noticed


class ControlFailed(Exception):
    """The tests do not pass without a mutant either, or do not run at all: nothing would be learnt."""


class Fate(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    SURVIVED = "survived"
    UNTESTED = "untested"


@dataclass(frozen=True, slots=True)
class Work:
    """A mutant, or none, with the tests that may notice it."""

    mutant: Mutant | None
    tests: tuple[str, ...]


def preload(modules: Iterable[str]) -> None:
    """Import the libraries that the tests use, so that forked processes need not."""
    with warnings.catch_warnings(action="ignore"):
        for name in modules:
            if name.partition(".")[0] not in (*_OURS, *_NOT_FORKABLE):
                with contextlib.suppress(BaseException):
                    importlib.import_module(name)


def run(root: Path, work: Sequence[Work], *, jobs: int, report: Callable[[Mutant, Fate], None]) -> None:
    """Run every mutant's tests, *jobs* at a time; *report* hears of each as it ends. Raises ControlFailed."""
    _check_ids(root, work)
    waiting = [*(one for one in reversed(work) if one.tests), *_control(work)]
    for untested in (one.mutant for one in work if one.mutant and not one.tests):
        report(untested, Fate.UNTESTED)
    running: dict[int, tuple[Work, float]] = {}
    with tempfile.TemporaryDirectory() as templates:
        while waiting or running:
            while waiting and len(running) < jobs:
                one = waiting.pop()
                running[_fork(partial(_tested, root, one, Path(templates)))] = (one, time.monotonic())
            for pid, fate in _ended(running):
                one, _ = running.pop(pid)
                shutil.rmtree(Path(templates, str(pid)), ignore_errors=True)
                if one.mutant:
                    report(one.mutant, fate)
                elif fate is not Fate.SURVIVED:
                    raise ControlFailed(f"without a mutant: {', '.join(one.tests)}")
            time.sleep(0.02)


def _check_ids(root: Path, work: Sequence[Work]) -> None:
    """Pytest's error about a test that does not exist would look like a test that noticed."""
    tests = sorted({test for one in work for test in one.tests})
    pid = _fork(lambda: pytest.main([*_ARGUMENTS, f"--rootdir={root}", "--collect-only", *tests]))
    if tests and os.waitpid(pid, 0)[1] != 0:
        raise ControlFailed("the tests that were recorded cannot be collected")


def _control(work: Sequence[Work]) -> list[Work]:
    """A few of the tests without a mutant: they have to pass."""
    return [Work(None, one.tests) for one in work[:: max(1, len(work) // 4)] if one.tests]


def _fork(job: Callable[[], int]) -> int:
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


def _tested(root: Path, work: Work, templates: Path) -> int:
    """The exit status of a mutant's process: 0 if its tests pass, 1 if they notice.

    A mutant makes its own templates: those that are kept for the files as they are would show nothing of it.
    """
    sys.dont_write_bytecode = True
    if work.mutant:
        os.environ[KEPT_IN] = str(templates / str(os.getpid()))
        sys.meta_path.insert(0, _Mutating(root, work.mutant))
    return int(pytest.main([*_ARGUMENTS, *work.tests]) != pytest.ExitCode.OK)


def _ended(running: dict[int, tuple[Work, float]]) -> Iterator[tuple[int, Fate]]:
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
