"""A mutant is noticed if a test of its line fails, however it got into the process."""

import os
import subprocess
import sys
from pathlib import Path

from tests.mutants.__main__ import ROOT

SOURCE = """
LIMITS = (1, 2)


def doubled(number):
    return number * 2


def described(number, unit="m"):
    return f"{number}" + unit + "."
"""
TESTS = """
from lambdas.a import LIMITS, described, doubled


def test_doubled():
    assert doubled(3) == 6


def test_described():
    assert described(3).startswith("3m")


def test_limits():
    assert LIMITS[1] == 2
"""
RUN = """
import sys
from importlib.metadata import entry_points
from pathlib import Path
from tests.mutants.importing import preload
from tests.mutants.mutations import mutants
from tests.mutants.running import run
from tests.mutants.work import Work

tests = tuple(f"checks/test_a.py::test_{name}" for name in ("doubled", "described", "limits"))
tried = ("number * 2", "'m'", "'.'", "1", "2")
work = [Work(one, tests) for one in mutants(Path.cwd(), "lambdas/a.py") if one.before in tried]
preload(plugin.module for plugin in entry_points(group="pytest11"))
run(Path.cwd(), work, jobs=2, report=lambda mutant, fate: print(f"{mutant.before} -> {mutant.after}: {fate.value}"))
"""


def test_mutants_of_calls_and_of_imports_are_noticed_or_survive(tmp_path: Path) -> None:
    """In the same run; where a mutant runs decides how it is made, not what becomes of it."""
    for name, text in {"lambdas/__init__.py": "", "lambdas/a.py": SOURCE, "checks/test_a.py": TESTS}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, "-c", RUN], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    fates = set(done.stdout.splitlines())
    assert "number * 2 -> number // 2: killed" in fates, done.stderr
    assert "'m' -> 'mx': survived" in fates
    assert "'.' -> '.x': survived" in fates
    assert any("2 -> 3: killed" in fate for fate in fates)
    assert "1 -> 2: survived" in fates
