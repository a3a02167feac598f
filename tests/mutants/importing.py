"""A mutant that is there from the beginning: its module is loaded from the changed tree, in a process of its own."""

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
import tempfile
import warnings
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import pytest

from tests.infra.kept import KEPT_IN
from tests.mutants.mutations import Mutant, mutated
from tests.mutants.work import Work

OURS = ("lambdas", "infra", "ops", "local", "benchmarks", "tests", "conftest")
ARGUMENTS = (  # plugins that were loaded already are no news
    *("-x", "-q", "--no-header", "--tb=no", "--hypothesis-seed=0", "-p", "no:faulthandler"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)
_NOT_FORKABLE = ("aws_cdk", "jsii", "constructs", "cdk_nag", "xdist", "execnet", "coverage", "__main__")


def preload(modules: Iterable[str]) -> None:
    """Import the libraries that the tests use, so that forked processes need not.

    What begins with an underscore is left to the module that it belongs to: `_asyncio` before `asyncio` leaves both
    half made, and every test of a coroutine would fail.
    """
    with warnings.catch_warnings(action="ignore"):
        for name in modules:
            if not name.startswith("_") and name.partition(".")[0] not in (*OURS, *_NOT_FORKABLE):
                with contextlib.suppress(BaseException):
                    importlib.import_module(name)


def run_imported(root: Path, work: Work) -> int:
    """For a forked process: 0 if the tests pass, 1 if they notice.

    A mutant makes its own templates: those that are kept for the files as they are would show nothing of it.
    """
    sys.dont_write_bytecode = True
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS and "mutants" not in name]:
        del sys.modules[name]
    if work.mutant:
        os.environ[KEPT_IN] = tempfile.mkdtemp()
        sys.meta_path.insert(0, _Mutating(root, work.mutant))
    return int(pytest.main([*ARGUMENTS, f"--rootdir={root}", *work.tests]) != pytest.ExitCode.OK)


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
