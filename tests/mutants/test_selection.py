"""Which tests are run for a mutant, and that what they read is the mutant's."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.infra import synthesis
from tests.infra.kept import KEPT_IN
from tests.mutants.selection import SNAPSHOTS, Recording


def recording(lines: Mapping[str, list[str]]) -> Recording:
    """Of tests that each run line 1 of a file, for a second."""
    seconds = {test: 1.0 for tests in lines.values() for test in tests}
    return Recording(lines={path: {1: tests} for path, tests in lines.items()}, seconds=seconds, modules=())


def test_the_nearest_tests_come_first() -> None:
    """Of the same name, then of the same folder."""
    tests = ["tests/broker/test_a.py::x", "tests/aws/test_b.py::x", "tests/broker/test_table.py::x"]
    chosen = recording({"lambdas/aws/table.py": tests}).tests_of("lambdas/aws/table.py", 1, called=True)
    assert chosen == ["tests/broker/test_table.py::x", "tests/aws/test_b.py::x", "tests/broker/test_a.py::x"]


def test_a_constant_is_looked_at_by_the_tests_that_are_named_after_its_file() -> None:
    """They run none of its lines, and no other test does."""
    recorded = recording(
        {"lambdas/aws/table.py": ["tests/aws/test_b.py::x"], "other.py": ["tests/aws/test_table.py::x"]}
    )
    both = ["tests/aws/test_table.py::x", "tests/aws/test_b.py::x"]
    assert recorded.tests_of("lambdas/aws/table.py", 9, called=False) == both
    assert recorded.tests_of("lambdas/aws/table.py", 1, called=True) == both[1:]


def test_of_the_tests_of_a_template_those_that_see_all_of_it_come_first() -> None:
    """A mutant of infra/ changes the template, and its text shows every change."""
    tests = ["tests/infra/test_alarms.py::x", f"{SNAPSHOTS}::x", "tests/infra/test_stack.py::x"]
    chosen = recording({"infra/alarms.py": tests}).tests_of("infra/alarms.py", 2, called=True)
    assert chosen == [f"{SNAPSHOTS}::x", "tests/infra/test_alarms.py::x", "tests/infra/test_stack.py::x"]


def test_a_mutant_s_template_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those in .build/ are of the files as they are."""

    class Made(Exception):
        pass

    def make(folder: Path, keys: Mapping[str, object]) -> None:
        raise Made(folder)

    monkeypatch.setattr(synthesis, "_synthesise", make)
    monkeypatch.setenv(KEPT_IN, str(tmp_path))
    with pytest.raises(Made) as made:
        synthesis.synthesise.__wrapped__()
    assert tmp_path in made.value.args[0].parents
