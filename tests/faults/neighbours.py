"""`python -m tests.faults.neighbours`: what bad webhooks cost their neighbours, on the embedded AWS.

Twenty tenants with a good webhook each get events beside 1, 21 or 41 others that get as many. The others are good; then
their receivers hang, answer after 9.9 s, break TLS, answer no HTTP, or refuse connections; then they are good again.
The twenty's 95th percentile, from event to webhook, must stay within twice that of the good load before and after.

The stack has production's concurrency, periods and batching windows (`pollers`), but a webhook counts as failing after
FAILING_SECONDS, so that a short run sees others healthy, in doubt and failing. The embedded AWS and all functions share
one machine, and a busy processor delays everyone: the pace of events is chosen so that the good load keeps it at most
half busy. `--no-windows` lets the embedded AWS run the functions, for almost every message by itself.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.report import Table, number, show
from infra.context import Context
from infra.rules import written
from local.clients import Clients
from local.deploy import PERIODS
from local.stack import LocalStack
from tests.faults.bad_receivers import BAD, Receivers, Scenario
from tests.faults.neighbour_stage import NEIGHBOURS, Load, Outcome, Stage
from tests.faults.pollers import polling

OTHERS = (1, 21, 41)
SECONDS = 20  # of a run
FAILING_SECONDS = 8
MOST = 2.0  # times the good load's 95th percentile
BUSY = 0.5  # of the processors, at most, under the good load
INTERVALS = (1.0, 2.0, 4.0)  # s between a tenant's events: the first that keeps to BUSY
PRODUCTION = {name: written(getattr(Context(), name)) for name in PERIODS}  # instead of a demonstration's
console = Console(highlight=False)


def main(
    bad: Annotated[
        list[int] | None, typer.Option(help="How many others there are; may be given several times.")
    ] = None,
    scenario: Annotated[list[Scenario] | None, typer.Option(help="Only this one; may be given several times.")] = None,
    seconds: Annotated[int, typer.Option(help="Length of each run.")] = SECONDS,
    interval: Annotated[float, typer.Option(help="s between a tenant's events; 0: chosen by the machine.")] = 0,
    windows: Annotated[bool, typer.Option(help="Wait for batching windows, as Lambda does.")] = True,
) -> None:
    """Compare each scenario with the same load of good webhooks.

    Status 1: neighbours waited too long or lost events. Status 2: the machine is too busy to measure.
    """
    scenarios = [one for one in scenario or BAD if one is not Scenario.GOOD]
    context = {**PRODUCTION, "failing_seconds": str(FAILING_SECONDS)}
    with TemporaryDirectory(prefix="ses-feedback-neighbours-") as folder, Receivers() as receivers:
        stack = LocalStack(Path(folder))
        try:
            facts = stack.up(lambda *_: None, context=context, environment={})
            stage = Stage(facts, receivers, Path(folder))
            with polling(Clients(facts["aws_endpoint_url"], facts["region"])) if windows else nullcontext():
                found = list(_measure(stage, bad or OTHERS, scenarios, seconds, interval))
        finally:
            stack.down()
    show([_table(load, outcomes) for load, outcomes in found], console)
    kept = all(_kept(one, outcomes[Scenario.GOOD]) for _, outcomes in found for one in outcomes.values())
    console.print("[green]Kept.[/green]" if kept else "[red]NOT kept.[/red]")
    sys.exit(0 if kept else 1)


def _measure(
    stage: Stage, others: Sequence[int], scenarios: Sequence[Scenario], seconds: int, interval: float
) -> Iterator[tuple[Load, dict[Scenario, Outcome]]]:
    """The good load beside each number of *others*, with the outcomes of it and of *scenarios*."""
    pace = _warm_up(stage, interval)
    for count in others:
        load = Load(others=count, scenario=Scenario.GOOD, rounds=max(1, round(seconds / pace)), interval=pace)
        yield load, dict(_compare(stage, load, scenarios))


def _warm_up(stage: Stage, interval: float) -> float:
    """Start the functions' processes and fill caches; the interval between a tenant's events.

    Exits with status 2 if even the slowest pace keeps the processors busy: what waits for them waits for anything.
    """
    for scenario in (Scenario.GOOD, Scenario.HANG):
        stage.run(Load(others=max(OTHERS), scenario=scenario, rounds=6, interval=1.0))
    for chosen in (interval,) if interval else INTERVALS:
        load = Load(others=max(OTHERS), scenario=Scenario.GOOD, rounds=5, interval=chosen)
        busy = stage.run(load).busy
        console.print(f"[dim]an event every {chosen:g} s of each tenant: the processors are {busy:.0%} busy[/dim]")
        if busy <= BUSY or interval:
            return chosen
    console.print("[red]NOT measured.[/red] The machine is too busy: the ratios would show it, not the others.")
    sys.exit(2)


def _compare(stage: Stage, load: Load, scenarios: Sequence[Scenario]) -> Iterator[tuple[Scenario, Outcome]]:
    """The outcome of each scenario, and of the good load before and after them."""
    before = _run(stage, load)
    outcomes = [(scenario, _run(stage, replace(load, scenario=scenario))) for scenario in scenarios]
    yield Scenario.GOOD, before + _run(stage, load)
    yield from outcomes


def _run(stage: Stage, load: Load) -> Outcome:
    outcome = stage.run(load)
    console.print(f"[dim]{load.others} {load.scenario}: 95th percentile {outcome.percentile(95):.3f} s[/dim]")
    return outcome


def _kept(outcome: Outcome, good: Outcome) -> bool:
    return not outcome.lost and outcome.percentile(95) <= MOST * good.percentile(95)


def _table(load: Load, outcomes: dict[Scenario, Outcome]) -> Table:
    good = outcomes[Scenario.GOOD]
    return Table(
        title=f"{NEIGHBOURS} good webhooks beside {load.others} others, an event every {load.interval:g} s for each",
        columns=(
            "the others",
            "50th percentile, s",
            "95th",
            "95th / good load's",
            "lost",
            "AWS calls an event",
            "busy",
        ),
        rows=tuple(_row(scenario, outcome, good) for scenario, outcome in outcomes.items()),
        note=f"At most {MOST:.0f} times. AWS calls: of all functions, for any tenant's event. Busy: the processors.",
    )


def _row(scenario: Scenario, outcome: Outcome, good: Outcome) -> tuple[str, ...]:
    return (
        scenario.value,
        f"{outcome.percentile(50):.3f}",
        f"{outcome.percentile(95):.3f}",
        number(outcome.percentile(95) / good.percentile(95)),
        str(outcome.lost),
        number(outcome.calls_per_event),
        f"{outcome.busy:.0%}",
    )


if __name__ == "__main__":
    typer.run(main)
