"""Which tests could notice a change of a line: recorded once, while all quick tests run."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from coverage import CoverageData

from tests.infra.kept import KEPT_IN

SLOW = (
    "tests/journey",
    "tests/local",
    "tests/docs",
    "tests/benchmarks",
    "tests/mutants",
    "tests/fuzz",
    "tests/faults",
    "tests/portal/test_browser.py",
)  # or not about these files
BUNDLES = "tests/infra/test_bundle.py"  # installs wheels
TEMPLATE = "infra/"  # a template is synthesised once and read by many tests: the lines belong to all of them
SNAPSHOTS = "tests/infra/test_snapshots.py"  # the whole template: notices most
TEMPLATES_TESTS = ("tests/infra/", "tests/iam/")
TOLERATED = 5  # tests that fail while others are recorded: of memory or time, on a busy machine
BUDGET, TEMPLATE_BUDGET = 20.0, 60.0  # s of recorded time for one mutant: the tests nearest to it come first


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What was recorded: the tests of each line, each test's seconds, and the libraries that tests load."""

    lines: dict[str, dict[int, list[str]]]
    seconds: dict[str, float]
    modules: tuple[str, ...]

    def tests_of(self, path: str, line: int, *, called: bool) -> list[str]:
        """The tests to run for a change of that line, the nearest and quickest first.

        A line that runs at import, not in a call, belongs to no test: all tests of the file may notice, and those that
        are named after it. A test of a constant runs no line of its file.
        """
        by_line = self.lines.get(path, {})
        found = set(by_line.get(line, ()))
        if not found or not called or path.startswith(TEMPLATE):
            found |= {test for tests in by_line.values() for test in tests}
            found |= {test for test in self.seconds if f"/test_{Path(path).stem}" in test}
        if path.startswith(TEMPLATE):
            found |= {test for test in self.seconds if test.startswith(TEMPLATES_TESTS)}
        else:  # those that make a template are slow, and see what others see
            found = {test for test in found if not test.startswith(TEMPLATES_TESTS)} or found
        budget = TEMPLATE_BUDGET if path.startswith(TEMPLATE) else BUDGET
        return self._within_budget(sorted(found, key=lambda test: self._distance(path, test)), budget)

    def _distance(self, path: str, test: str) -> tuple[bool, bool, bool, float]:
        file, folder = Path(path).stem, Path(path).parent.name
        test_file = Path(test.partition("::")[0])
        whole = path.startswith(TEMPLATE) and test.startswith(SNAPSHOTS)
        return (
            not whole and test_file.stem != f"test_{file}",
            not whole,
            test_file.parent.name != folder,
            self.seconds.get(test, 0.0),
        )

    def _within_budget(self, tests: Iterable[str], budget: float) -> list[str]:
        chosen: list[str] = []
        spent = 0.0
        for test in (test for test in tests if test in self.seconds):
            spent += self.seconds[test]
            if chosen and spent > budget:
                break
            chosen.append(test)
        return chosen


def record(root: Path, kept: Path, tests: Sequence[str] = ()) -> Recording:
    """The recording of the files as they are now: from *kept*, or made there by running *tests*, or all quick ones."""
    folder = kept / _fingerprint(root, tests)
    if not (folder / "done").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            shutil.rmtree(old) if old.is_dir() else old.unlink()
        _run(root, folder, tests)
        shutil.rmtree(folder / "synthesis", ignore_errors=True)
        (folder / "done").touch()
    return _read(root, folder)


def _run(root: Path, folder: Path, tests: Sequence[str]) -> None:
    command = [
        *(sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", "-p", "tests.mutants.recording"),
        *("--hypothesis-seed=0", *(f"--ignore={path}" for path in (*SLOW, BUNDLES) if (root / path).exists()), *tests),
    ]
    environment = os.environ | {"SES_FEEDBACK_RECORDING": str(folder), KEPT_IN: str(folder / "synthesis")}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    failed = [test for path in folder.glob("facts.*.json") for test in json.loads(path.read_text())["failed"]]
    if len(failed) > TOLERATED or done.returncode not in (0, 1):
        sys.exit(f"The tests fail without any mutant:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
    if failed:
        print("Left out, as they fail without any mutant:", *failed, sep="\n  ")


def _fingerprint(root: Path, tests: Sequence[str]) -> str:
    files = sorted(path for folder in ("lambdas", "infra", "tests") for path in (root / folder).rglob("*.py"))
    files += sorted((root / "tests/infra/snapshots").iterdir())
    contents = (path.read_bytes() for path in files)
    return hashlib.sha256(b"".join([*contents, *map(str.encode, tests)])).hexdigest()[:16]


def _read(root: Path, folder: Path) -> Recording:
    lines: dict[str, dict[int, list[str]]] = {}
    seconds: dict[str, float] = {}
    modules: set[str] = set()
    failed: set[str] = set()
    for path in sorted(folder.glob("facts.*.json")):
        facts = json.loads(path.read_text())
        seconds |= facts["seconds"]
        modules |= set(facts["modules"])
        failed |= set(facts["failed"])
        data = CoverageData(str(folder / path.name.replace("facts.", "coverage.").removesuffix(".json")))
        data.read()
        for measured in data.measured_files():
            by_line = lines.setdefault(Path(measured).relative_to(root).as_posix(), {})
            for line, contexts in data.contexts_by_lineno(measured).items():
                by_line.setdefault(line, []).extend(context for context in contexts if context)
    passed = {test: spent for test, spent in seconds.items() if test not in failed}
    return Recording(lines=lines, seconds=passed, modules=tuple(sorted(modules)))
