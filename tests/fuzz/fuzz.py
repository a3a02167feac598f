"""`python -m tests.fuzz.fuzz` (`make fuzz`): made-up input for all that reads foreign input, a million cases.

Two ways to make it up: hypothesis, which builds values from nothing and shrinks what breaks, and mutation of real
events, which is a hundred times quicker and gets deeper. `--atheris TARGET` runs a target under atheris, guided by
coverage, where that is installed. What breaks is printed with the seed that makes it again, and becomes a test.
"""

import importlib
import importlib.util
import os
import random
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from hypothesis import HealthCheck, Phase, given, settings
from rich.console import Console

from benchmarks.report import Table, number, show
from tests.fuzz.checks import CHECKS, Check
from tests.fuzz.inputs import MAKERS, strategies

CASES = 1_000_000
HYPOTHESIS_SHARE = 0.3  # of each target's time
SLICE = 200  # cases between two looks at the clock
console = Console(highlight=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """An input that broke a check, and how."""

    target: str
    value: object
    trace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fuzzed:
    """What became of a target."""

    target: str
    by_hypothesis: int
    by_mutation: int
    seconds: float
    broken: Broken | None


def main(
    seconds: Annotated[float, typer.Option(help="Time for all targets together.")] = float(
        os.environ.get("SECONDS", "600")
    ),
    cases: Annotated[int, typer.Option(help="Cases for all targets together.")] = CASES,
    seed: Annotated[int, typer.Option(help="Of the mutations.")] = 7,
    atheris: Annotated[str, typer.Option(help="Only this target, under atheris, until it is stopped.")] = "",
) -> None:
    """Make up inputs until the cases or the time are used up; status 1 when a check broke."""
    if atheris:
        _under_atheris(atheris, seconds)
    fuzzed = [fuzz(name, seconds / len(CHECKS), cases // len(CHECKS), seed) for name in CHECKS]
    show([_table(fuzzed)], console)
    broken = [one.broken for one in fuzzed if one.broken]
    for one in broken:
        console.print(f"[red]{one.target}[/red] broke on {one.value!r}", markup=True)
        console.print(one.trace, markup=False)
    sys.exit(1 if broken else 0)


def fuzz(name: str, seconds: float, cases: int, seed: int) -> Fuzzed:
    """Fuzz one target by both ways."""
    began = time.monotonic()
    first, broken = by_hypothesis(name, began + seconds * HYPOTHESIS_SHARE, cases)
    second = 0
    if not broken:
        second, broken = by_mutation(name, began + seconds, cases - first, seed)
    taken = time.monotonic() - began
    return Fuzzed(target=name, by_hypothesis=first, by_mutation=second, seconds=taken, broken=broken)


def by_hypothesis(name: str, until: float, cases: int) -> tuple[int, Broken | None]:
    """Cases that hypothesis made in the time, and the smallest that broke."""
    done = 0
    last: object = None

    @settings(
        max_examples=SLICE,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(strategies()[name])
    def attempt(value: Any) -> None:
        nonlocal done, last
        done, last = done + 1, value
        CHECKS[name](value)

    while done < cases and time.monotonic() < until:
        try:
            attempt()
        except Exception:  # noqa: BLE001  # whatever a check lets through is what we look for
            return done, Broken(target=name, value=last, trace=traceback.format_exc(limit=-6))
    return done, None


def by_mutation(name: str, until: float, cases: int, seed: int) -> tuple[int, Broken | None]:
    """Cases that mutation made in the time, and the first that broke."""
    chance = random.Random(f"{name} {seed}")
    make, check = MAKERS[name], CHECKS[name]
    for done in range(cases):
        if done % SLICE == 0 and time.monotonic() > until:
            return done, None
        value = make(chance)
        if broken := _tried(name, check, value):
            return done + 1, broken
    return max(0, cases), None


def _tried(name: str, check: Check, value: Any) -> Broken | None:
    try:
        check(value)
    except Exception:  # noqa: BLE001  # whatever a check lets through is what we look for
        return Broken(target=name, value=value, trace=traceback.format_exc(limit=-6))
    return None


def _under_atheris(name: str, seconds: float) -> None:
    if importlib.util.find_spec("atheris") is None:
        console.print("atheris is not installed here: pip install atheris (CPython 3.11 or 3.12 on Linux).")
        sys.exit(2)
    guided: Any = importlib.import_module("atheris")
    make: Callable[[random.Random], Any] = MAKERS[name]

    def one(content: bytes) -> None:
        CHECKS[name](make(random.Random(content)))

    guided.instrument_all()
    guided.Setup([sys.argv[0], f"-max_total_time={int(seconds)}"], one)
    guided.Fuzz()


def _table(fuzzed: list[Fuzzed]) -> Table:
    rows = [
        (
            one.target,
            f"{one.by_hypothesis:,}",
            f"{one.by_mutation:,}",
            number(one.seconds),
            "BROKEN" if one.broken else "held",
        )
        for one in fuzzed
    ]
    total = sum(one.by_hypothesis + one.by_mutation for one in fuzzed)
    return Table(
        title=f"Fuzzing: {total:,} cases",
        columns=("target", "by hypothesis", "by mutation", "s", ""),
        rows=tuple(rows),
    )


if __name__ == "__main__":
    typer.run(main)
