"""`python -m tests.mutants`: change the code in small ways, and see whether a test notices."""

import random
import re
import sys
import time
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from tests.mutants.importing import preload
from tests.mutants.mutations import Mutant, mutants
from tests.mutants.running import run
from tests.mutants.selection import Recording, record
from tests.mutants.work import Fate, Work

ROOT = Path(__file__).resolve().parents[2]
EQUIVALENT: list[dict[str, str]] = tomllib.loads(Path(__file__).with_name("equivalent.toml").read_text())["mutant"]
OVERALL, EACH, ENOUGH = 0.95, 0.90, 20  # shares that must die, overall and in a file with as many mutants
_BUILDS = re.compile(
    r"^(import|from) (subprocess|shutil|ast|gzip|py_compile)\b", re.MULTILINE
)  # bundles, not templates


def files(root: Path) -> list[str]:
    """All that runs in Lambda, and what makes the template; found by folder, so that names may change."""
    found = [*root.glob("lambdas/**/*.py"), *root.glob("infra/**/*.py")]
    return sorted(
        path.relative_to(root).as_posix()
        for path in found
        if path.name != "__init__.py"
        and not (path.relative_to(root).parts[0] == "infra" and _BUILDS.search(path.read_text()))
    )


def main(
    sample: Annotated[int, typer.Option(help="How many mutants to try.")] = 500,
    seed: Annotated[int, typer.Option(help="Which ones: the same seed chooses the same.")] = 1,
    file: Annotated[
        list[str] | None, typer.Option(help="Only files whose path contains this; may be repeated.")
    ] = None,
    tests: Annotated[list[str] | None, typer.Option(help="Record and run these tests only.")] = None,
    jobs: Annotated[int, typer.Option(help="Mutants at a time.")] = 2,
    part: Annotated[
        str, typer.Option(help="Try a part of the sample only: 2/4 is every fourth, from the second.")
    ] = "1/1",
    strict: Annotated[bool, typer.Option(help="Fail below 95 % overall, or 90 % in a file with 20 mutants.")] = True,
) -> None:
    """Try a seeded sample of mutants; print the survivors, and what share was noticed.

    Mutants that change nothing a test could see stand in tests/mutants/equivalent.toml, with their reason.
    """
    started = time.monotonic()
    first, _, step = part.partition("/")
    chosen = _sampled(_candidates(file or []), sample, seed)[int(first) - 1 :: int(step)]
    recording = record(ROOT, ROOT / ".mutants", tests or [])
    preload(recording.modules)
    print(f"{len(chosen)} mutants; the tests were recorded in {time.monotonic() - started:.0f} s", flush=True)
    work = [_work(one, recording) for one in chosen]
    fates: dict[Mutant, Fate] = {}

    def report(mutant: Mutant, fate: Fate) -> None:
        fates[mutant] = fate
        if fate is not Fate.KILLED:
            print(_described(mutant, fate), flush=True)

    run(ROOT, work, jobs=jobs, report=report)
    passed = _summary(fates)
    print(f"seed {seed}, {time.monotonic() - started:.0f} s")
    sys.exit(0 if passed or not strict else 1)


def _work(mutant: Mutant, recording: Recording) -> Work:
    tests = recording.tests_of(mutant.path, mutant.line, called=mutant.called)
    return Work(mutant, tuple(tests), sum(recording.seconds[test] for test in tests))


def _candidates(wanted: Iterable[str]) -> list[Mutant]:
    equivalent = {(entry["path"], entry["where"], entry["before"], entry["after"]) for entry in EQUIVALENT}
    paths = [path for path in files(ROOT) if not wanted or any(part in path for part in wanted)]
    return [mutant for path in paths for mutant in mutants(ROOT, path) if mutant.key not in equivalent]


def _sampled(candidates: list[Mutant], sample: int, seed: int) -> list[Mutant]:
    return sorted(random.Random(seed).sample(candidates, min(sample, len(candidates))))


def _described(mutant: Mutant, fate: Fate) -> str:
    lines = [f"{mutant.path}:{mutant.line}: {fate.value}", f"    {mutant.where}"]
    lines += [f"  - {line}" for line in mutant.before.splitlines()]
    lines += [f"  + {line}" for line in mutant.after.splitlines()]
    return "\n".join(lines)


def _summary(fates: dict[Mutant, Fate]) -> bool:
    """Print the share of each file and of all; whether both bounds hold."""
    by_file: dict[str, Counter[Fate]] = defaultdict(Counter)
    for mutant, fate in sorted(fates.items()):
        by_file[mutant.path][fate] += 1
    passed = True
    for path, counted in by_file.items():
        noticed = _noticed(counted)
        share = noticed / counted.total()
        weak = counted.total() >= ENOUGH and share < EACH
        passed &= not weak
        print(f"{share:6.0%}  {noticed:3}/{counted.total():<3}  {path}{'  below 90 %' if weak else ''}")
    noticed = _noticed(Counter(fates.values()))
    share = noticed / len(fates) if fates else 1.0
    print(f"{share:6.1%}  {noticed}/{len(fates)}  of all mutants were noticed")
    return passed and share >= OVERALL


def _noticed(counted: Counter[Fate]) -> int:
    return sum(count for fate, count in counted.items() if fate.noticed)


if __name__ == "__main__":
    typer.run(main)
