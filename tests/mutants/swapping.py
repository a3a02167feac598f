"""Mutants of what runs in calls: pytest collects the tests once, and each process changes the code of live functions.

A process that is forked from a session with all tests collected imports nothing and collects nothing, which is most of
what a mutant costs otherwise. What is not found alive there is imported anew (`importing`).
"""

import gc
import sys
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType

import pytest

from tests.mutants.importing import ARGUMENTS, OURS, run_imported
from tests.mutants.mutations import Mutant, mutated
from tests.mutants.processes import End, Job, run_all
from tests.mutants.work import ControlFailed, Work

_Place = tuple[str, str, int]  # file, qualified name, first line
_CDK = "jsii"  # its Node process cannot be shared by forked processes


def run_swapped(root: Path, work: Sequence[Work], *, at_once: int, report: Callable[[Work, End], None]) -> None:
    """Run the tests of each of *work*; *report* is called as each ends. Raises ControlFailed."""
    files = sorted({test.partition("::")[0] for one in work for test in one.tests})
    session = _Session(root, work, at_once, report)
    if files:
        with warnings.catch_warnings(action="ignore"):
            pytest.main([*ARGUMENTS, f"--rootdir={root}", "-n", "0", *files], plugins=[session])
    if session.failure or (files and not session.began):
        raise ControlFailed(session.failure or "the tests that were recorded cannot be collected")


class _Session:
    """A pytest plugin: instead of running the tests, it runs each mutant's in a process of its own."""

    def __init__(self, root: Path, work: Sequence[Work], at_once: int, report: Callable[[Work, End], None]) -> None:
        self._root, self._work, self._at_once, self._report = root, work, at_once, report
        self.began, self.failure, self._failed = False, "", False

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.began = True
        self._items = {item.nodeid: item for item in session.items}
        missing = {test for one in self._work for test in one.tests} - self._items.keys()
        if missing or _CDK in sys.modules:
            self.failure = f"not collected: {', '.join(sorted(missing))}" if missing else f"a test imports {_CDK}"
            return True
        plugins = session.config.pluginmanager
        plugins.unregister(plugins.getplugin("terminalreporter"))  # it would print a dot for each test
        self._live = _functions(self._root)
        gc.freeze()
        jobs = [Job(one, partial(self._noticed, one), one.longest) for one in self._work]
        for one, end in run_all(jobs, at_once=self._at_once):
            self._report(one, end)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._failed |= report.failed

    def _noticed(self, work: Work) -> int:
        """In a forked process: 0 if the tests pass, 1 if one fails."""
        if work.mutant and not self._swap(work.mutant):
            return run_imported(self._root, work)
        items = [self._items[test] for test in work.tests]
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._failed:
                return 1
        return 0

    def _swap(self, mutant: Mutant) -> bool:
        """Whether a live function was changed."""
        path = str(self._root / mutant.path)
        source = (self._root / mutant.path).read_text()
        before = _codes(compile(source, path, "exec"))
        found = False
        for place, code in _codes(compile(mutated(source, mutant.number), path, "exec")).items():
            if code != before.get(place):
                for function in self._live.get((path, *place), ()):
                    if len(function.__code__.co_freevars) != len(code.co_freevars):
                        return False
                    function.__code__, found = code, True
        return found


def _functions(root: Path) -> Mapping[_Place, Sequence[FunctionType]]:
    """Our functions that are alive, by file, name and line."""
    folders = tuple(f"{root / folder}/" for folder in OURS)
    found: dict[_Place, list[FunctionType]] = defaultdict(list)
    for one in gc.get_objects():
        if isinstance(one, FunctionType) and one.__code__.co_filename.startswith(folders):
            code = one.__code__
            found[code.co_filename, code.co_qualname, code.co_firstlineno].append(one)
    return found


def _codes(module: CodeType) -> dict[tuple[str, int], CodeType]:
    """The code of each function of a compiled module, by name and line."""
    return {(code.co_qualname, code.co_firstlineno): code for code in _inside(module)}


def _inside(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _inside(constant)
