"""Runs the tests of each mutant in a process of its own."""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.mutants.importing import ARGUMENTS, run_imported
from tests.mutants.mutations import Mutant
from tests.mutants.processes import End, Job, run_all
from tests.mutants.swapping import run_swapped
from tests.mutants.work import ControlFailed, Fate, Work

CONTROLS = 4  # of each way: tests that run without a mutant and have to pass
_FATES = {End.GOOD: Fate.SURVIVED, End.BAD: Fate.KILLED, End.LATE: Fate.LATE}
_TEMPLATE = ("infra/", "tests/infra/", "tests/iam/")  # what loads the CDK


def run(root: Path, work: Sequence[Work], *, jobs: int, report: Callable[[Mutant, Fate], None]) -> None:
    """Run every mutant's tests, *jobs* at a time; *report* is called as each ends. Raises ControlFailed."""

    def conclude(one: Work, end: End) -> None:
        if one.mutant:
            report(one.mutant, _FATES[end])
        elif end is not End.GOOD:
            raise ControlFailed(f"without a mutant: {end.name}, {len(one.tests)} tests from {one.tests[0]} on")

    for one in work:
        if one.mutant and not one.tests:
            report(one.mutant, Fate.UNTESTED)
    tried = [one for one in work if one.tests]
    swapped = [one for one in tried if _is_swapped(one)]
    imported = [one for one in tried if not _is_swapped(one)]
    with _temporary_files():
        _check_ids(root, imported)
        again = [Job(one, partial(run_imported, root, one), one.longest) for one in (*_controls(imported), *imported)]
        for one, end in run_all(again, at_once=jobs):
            conclude(one, end)
        # last: it imports all of ours
        run_swapped(root, [*_controls(swapped), *swapped], at_once=jobs, report=conclude)


@contextmanager
def _temporary_files() -> Iterator[None]:
    """Processes that are killed leave theirs behind: all are in a folder that is removed at the end."""
    with (
        tempfile.TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True) as folder,
        patch.dict(os.environ, TMPDIR=folder),
        patch.object(tempfile, "tempdir", folder),
    ):
        yield


def _is_swapped(work: Work) -> bool:
    return bool(work.mutant and work.mutant.called) and not any(
        path.startswith(_TEMPLATE) for path in (*work.tests, work.mutant.path if work.mutant else "")
    )


def _controls(work: Sequence[Work]) -> list[Work]:
    return [Work(None, one.tests, one.seconds) for one in work[:: max(1, len(work) // CONTROLS)]]


def _check_ids(root: Path, work: Sequence[Work]) -> None:
    """Pytest's error about a test that does not exist would look like a test that noticed."""
    tests = sorted({test for one in work for test in one.tests})
    job = Job(None, lambda: pytest.main([*ARGUMENTS, f"--rootdir={root}", "--collect-only", *tests]), 600.0)
    if tests and [end for _, end in run_all([job], at_once=1)] != [End.GOOD]:
        raise ControlFailed("the tests that were recorded cannot be collected")
