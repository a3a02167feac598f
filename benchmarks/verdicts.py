"""How often honest tenants are warned or paused, how many mails bad ones get out: `python -m benchmarks.verdicts`.

Simulated with the rules as they are, over the hourly counters that the functions keep. Mail is sent evenly; bounces
and complaints come independently, each mail with its probability. Two ways, one to check the other:

- `year_by_complaints` draws the complaints of a year one by one and judges at each; bounces are at their mean. Quick.
- `year_by_hours` draws bounces and complaints of each hour and judges each hour.

`fixed_window` is the rule of the first version, for comparison: one window, and a count of complaints as its floor.
"""

import bisect
import math
import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from statistics import mean
from typing import Annotated

import typer

from lambdas.domain.reputation.evaluation import (
    RECENT,
    WIDER,
    HourCounts,
    Reputation,
    ReputationRules,
    SendingState,
    Windows,
    evaluate,
    evaluate_windows,
    measure_windows,
)
from lambdas.domain.reputation.rule_settings import RuleSettings

HONEST_BOUNCES = 0.01
HONEST_COMPLAINTS = 0.0002
BAD_BOUNCES = 0.10
BAD_COMPLAINTS = 0.005
TWICE_BOUNCES, TWICE_COMPLAINTS = 0.08, 0.0016  # twice a pause threshold
VOLUMES = (20, 100, 333, 1_000, 10_000, 50_000, 200_000)  # mails a day; the last is 73 million a year
HOURS = 365 * 24
_TIMES = (RECENT, 1, *WIDER)  # the windows' volumes, times `window_outcomes`
DEFAULTS = RuleSettings().rules
BEFORE = replace(DEFAULTS, minimum_complaints=13)  # the first version's, for `fixed_window`
FLOOR_OF_THREE = replace(DEFAULTS, minimum_complaints=3)  # to see what the floor was for
Rule = Callable[[Windows, ReputationRules, SendingState], SendingState]


def by_evidence(windows: Windows, rules: ReputationRules, state: SendingState) -> SendingState:
    """The rule as it is."""
    return evaluate_windows(windows, rules, state).state


def fixed_window(windows: Windows, rules: ReputationRules, state: SendingState) -> SendingState:
    """The rule of the first version: thresholds and floors over one window."""
    counts = windows.representative
    if state is SendingState.PAUSED or counts.outcomes < rules.minimum_outcomes:
        return state
    bounces, complaints = counts.bounce_rate >= rules.bounce_pause, counts.complaint_rate >= rules.complaint_pause
    if (bounces and counts.bounces >= rules.minimum_bounces) or (
        complaints and counts.complaints >= rules.minimum_complaints
    ):
        return SendingState.PAUSED
    factors = (1.0, 0.5) if state is SendingState.WARNED else (1.0,)
    warned = any(
        counts.bounce_rate >= rules.bounce_warning * factor
        or (
            counts.complaint_rate >= rules.complaint_warning * factor
            and counts.complaints >= rules.minimum_warning_complaints * factor
        )
        for factor in factors
    )
    return SendingState.WARNED if warned else SendingState.HEALTHY


@dataclass(frozen=True, slots=True, kw_only=True)
class Year:
    """What happened to a tenant in a year."""

    paused: bool
    warnings: int


def year_by_complaints(
    volume: int,
    generator: random.Random,
    rules: ReputationRules = DEFAULTS,
    *,
    complaint_rate: float = HONEST_COMPLAINTS,
    rule: Rule = by_evidence,
) -> Year:
    """A year of *volume* mails a day, judged at each complaint."""
    at, windows = 0.0, [_Sliding(rules.window_outcomes * times, volume / 24, rules) for times in _TIMES]

    def evaluations() -> Iterator[Windows]:
        nonlocal at
        while (at := at + generator.expovariate(complaint_rate)) < HOURS * volume / 24:
            yield _windows([window.complained(at) for window in windows])

    return _lived(evaluations(), rules, rule)


@dataclass
class _Sliding:
    """A window of *outcomes* mails that walks with the sender; positions are in mails since the beginning."""

    outcomes: float
    an_hour: float
    rules: ReputationRules
    complaints: deque[float] = field(default_factory=deque)

    def complained(self, at: float) -> Reputation:
        """The window's counts at a complaint."""
        self.complaints.append(at)
        this_hour = at // self.an_hour * self.an_hour
        whole = math.ceil(max(0.0, self.outcomes - (at - this_hour)) / self.an_hour)
        begin = max(this_hour - min(whole, self.rules.window_days * 24) * self.an_hour, 0.0)
        while self.complaints[0] < begin:
            self.complaints.popleft()
        outcomes = int(at - begin)
        bounces = round(outcomes * HONEST_BOUNCES)
        return Reputation(
            bounces=bounces,
            complaints=len(self.complaints),
            deliveries=outcomes - bounces,
            since=str(begin),
            hours=math.ceil((at - begin) / self.an_hour),
        )


def _windows(measured: Sequence[Reputation]) -> Windows:
    """As `measure_windows` names them."""
    recent, representative, *wider = measured
    return Windows(representative=representative, wider=tuple(wider), recent=recent)


def _lived(evaluations: Iterator[Windows], rules: ReputationRules, rule: Rule) -> Year:
    state, warnings = SendingState.HEALTHY, 0
    for windows in evaluations:
        moved = rule(windows, rules, state)
        warnings += moved is SendingState.WARNED and state is SendingState.HEALTHY
        state = moved
        if state is SendingState.PAUSED:
            return Year(paused=True, warnings=warnings)
    return Year(paused=False, warnings=warnings)


def year_by_hours(
    volume: int,
    generator: random.Random,
    rules: ReputationRules = DEFAULTS,
    *,
    bounce_rate: float = HONEST_BOUNCES,
    complaint_rate: float = HONEST_COMPLAINTS,
    rule: Rule = by_evidence,
) -> Year:
    """A year of *volume* mails a day, judged at the end of each hour."""
    hours = drawn_hours(volume, generator, bounce_rate=bounce_rate, complaint_rate=complaint_rate)
    return _lived(all_windows(hours, rules), rules, rule)


def drawn_hours(
    volume: int, generator: random.Random, *, bounce_rate: float, complaint_rate: float
) -> Iterator[HourCounts]:
    """What is counted in each hour of a year."""
    bounces_of = _poisson(volume / 24 * bounce_rate)
    complaints_of = _poisson(volume / 24 * complaint_rate)
    for hour in range(HOURS):
        mails = volume * (hour + 1) // 24 - volume * hour // 24
        if not mails:
            continue
        bounces = min(mails, bisect.bisect(bounces_of, generator.random()))
        complaints = bisect.bisect(complaints_of, generator.random())
        yield HourCounts(bucket=str(hour), bounces=bounces, complaints=complaints, deliveries=mails - bounces)


def all_windows(hours: Iterator[HourCounts], rules: ReputationRules) -> Iterator[Windows]:
    """What `measure_windows` finds after each hour, kept up to date by differences."""
    sums = [_Sum(rules.window_outcomes * times, rules.window_days * 24) for times in _TIMES]
    for hour in hours:
        yield _windows([kept.after(hour) for kept in sums])


@dataclass
class _Sum:
    """The sum of the latest hours that hold *outcomes*, of the last *days* at most."""

    outcomes: float
    longest: int  # hours
    kept: deque[HourCounts] = field(default_factory=deque)
    bounces: int = 0
    complaints: int = 0
    deliveries: int = 0

    def after(self, hour: HourCounts) -> Reputation:
        """The window's counts when *hour* is over."""
        self._add(hour, 1)
        self.kept.append(hour)
        while self._is_past(self.kept[0], hour) or self._is_full_without(self.kept[0]):
            self._add(self.kept.popleft(), -1)
        return Reputation(
            bounces=self.bounces,
            complaints=self.complaints,
            deliveries=self.deliveries,
            since=self.kept[0].bucket,
            hours=len(self.kept),
        )

    def _is_past(self, oldest: HourCounts, newest: HourCounts) -> bool:
        return int(newest.bucket) - int(oldest.bucket) >= self.longest

    def _is_full_without(self, oldest: HourCounts) -> bool:
        return self.bounces + self.deliveries - oldest.bounces - oldest.deliveries >= self.outcomes

    def _add(self, hour: HourCounts, sign: int) -> None:
        self.bounces += sign * hour.bounces
        self.complaints += sign * hour.complaints
        self.deliveries += sign * hour.deliveries


def mails_before_pause(
    volume: int,
    generator: random.Random,
    *,
    history: int,
    bounce_rate: float,
    complaint_rate: float,
    rules: ReputationRules = DEFAULTS,
    rule: Rule = by_evidence,
) -> int:
    """How many mails a tenant of bad rates gets out after *history* mails of an honest one; judged at each event."""
    an_hour = max(1, volume // 24)
    hours = [_honest_hour(an_hour, number) for number in range(history // an_hour)]
    sent = 0
    while True:
        bounces = complaints = 0
        for mail in range(1, an_hour + 1):
            bounced = generator.random() < bounce_rate
            complained = not bounced and generator.random() < complaint_rate
            bounces += bounced
            complaints += complained
            if bounced or complained:
                now = HourCounts(bucket="n", bounces=bounces, complaints=complaints, deliveries=mail - bounces)
                if (
                    rule(measure_windows([now, *reversed(hours)], rules), rules, SendingState.HEALTHY)
                    is SendingState.PAUSED
                ):
                    return sent + mail
        sent += an_hour
        hours.append(HourCounts(bucket="n", bounces=bounces, complaints=complaints, deliveries=an_hour - bounces))


def is_paused_on_probation(generator: random.Random, *, outcomes: int, bounce_rate: float, bad_import: int = 0) -> bool:
    """Whether a tenant is paused within the first *outcomes* after it resumed itself; the first mails are an import.

    *bad_import* is a share of one in ten of its addresses that are dead: that many bounces, in ten times as many mails.
    """
    rules, bounces = DEFAULTS.with_low_floors(), 0
    for mail in range(1, outcomes + 1):
        imported = mail <= bad_import * 10
        bounced = mail % 10 == 0 if imported else generator.random() < bounce_rate
        bounces += bounced
        counts = Reputation(bounces=bounces, complaints=0, deliveries=mail - bounces, since="0", hours=1)
        if bounced and evaluate(counts, rules, SendingState.HEALTHY).state is SendingState.PAUSED:
            return True
    return False


def _honest_hour(mails: int, number: int) -> HourCounts:
    """An hour of an honest tenant, its bounces and complaints at their mean."""
    bounces = round(mails * HONEST_BOUNCES)
    complaints = int(mails * HONEST_COMPLAINTS * (number + 1)) - int(mails * HONEST_COMPLAINTS * number)
    return HourCounts(bucket="before", bounces=bounces, complaints=complaints, deliveries=mails - bounces)


def _poisson(mean: float) -> list[float]:
    """The distribution function of a Poisson variable, as far as it matters."""
    term = math.exp(-mean)
    total, sums = 0.0, []
    for number in range(1, int(mean + 12 * math.sqrt(mean)) + 20):
        total += term
        sums.append(total)
        term *= mean / number
    return sums


_BAD = (
    (f"{BAD_BOUNCES:.0%} bounces", BAD_BOUNCES, HONEST_COMPLAINTS),
    (f"{TWICE_BOUNCES:.0%} bounces", TWICE_BOUNCES, HONEST_COMPLAINTS),
    (f"{BAD_COMPLAINTS:.1%} complaints", HONEST_BOUNCES, BAD_COMPLAINTS),
    (f"{TWICE_COMPLAINTS:.2%} complaints", HONEST_BOUNCES, TWICE_COMPLAINTS),
)


def main(
    years: Annotated[int, typer.Option(help="Honest tenant-years of each volume; fewer of the larger ones.")] = 400,
    hourly: Annotated[int, typer.Option(help="Tenant-years that are also judged hour by hour.")] = 10,
    tries: Annotated[int, typer.Option(help="Bad tenants of each kind.")] = 200,
    volume: Annotated[
        list[int] | None, typer.Option(help="Only honest tenants of so many mails a day, all of --years.")
    ] = None,
) -> None:
    """Print the figures as tables: the rule of the first version before, the rule as it is after."""
    print(f"honest tenant: {HONEST_BOUNCES:.0%} bounces, {HONEST_COMPLAINTS:.2%} complaints; a year, before -> after")
    print("  mails a day   tenant-years   paused wrongly       warnings          hour by hour: years, paused, warnings")
    for mails in volume or VOLUMES:
        # the larger have as many more complaints a year
        _print_honest(mails, years if volume else max(10, min(years, years * 10_000 // mails)), hourly)
    if volume:
        return
    _print_bad(tries)
    _print_probation()


def _print_honest(volume: int, years: int, hourly: int) -> None:
    before = [year_by_complaints(volume, random.Random(n), BEFORE, rule=fixed_window) for n in range(years)]
    after = [year_by_complaints(volume, random.Random(n)) for n in range(years)]
    slow = [year_by_hours(volume, random.Random(n)) for n in range(hourly)]
    hour_by_hour = f"{hourly:>6}, {sum(year.paused for year in slow)}, {_warnings(slow):.1f}" if slow else ""
    print(
        f"  {volume:>11,}   {years:>12,}   {_paused(before):>6.1%} -> {_paused(after):>5.1%}"
        f"   {_warnings(before):>6.1f} -> {_warnings(after):>4.1f}   {hour_by_hour}",
        flush=True,
    )


def _print_bad(tries: int) -> None:
    for volume, tenants in ((10_000, _BAD), (200_000, _BAD[-1:])):
        print(f"bad tenant of {volume:,} mails a day: mails before the pause; mean, median, 95th percentile of {tries}")
        for name, bounces, complaints in tenants:
            for history in (0, 20_000):
                first = _out(volume, history, bounces, complaints, BEFORE, fixed_window, tries)
                now = _out(volume, history, bounces, complaints, DEFAULTS, by_evidence, tries)
                kind = "after good mail" if history else "from the first mail"
                print(f"  {name:<18} {kind:<20} {first} -> {now}", flush=True)


def _print_probation() -> None:
    print("on probation: paused within 150 outcomes; within 500")
    for name, rate, bad in (("10 % bounces", 0.10, 0), ("1 % and an import with 3 dead", HONEST_BOUNCES, 3)):
        shares = [
            sum(
                is_paused_on_probation(random.Random(n), outcomes=outcomes, bounce_rate=rate, bad_import=bad)
                for n in range(2_000)
            )
            / 2_000
            for outcomes in (150, 500)
        ]
        print(f"  {name:<30} {shares[0]:.1%} {shares[1]:.1%}")


def _out(
    volume: int,
    history: int,
    bounce_rate: float,
    complaint_rate: float,
    rules: ReputationRules,
    rule: Rule,
    tries: int,
) -> str:
    mails = sorted(
        mails_before_pause(
            volume,
            random.Random(n),
            history=history,
            bounce_rate=bounce_rate,
            complaint_rate=complaint_rate,
            rules=rules,
            rule=rule,
        )
        for n in range(tries)
    )
    return f"{mean(mails):>6,.0f} {mails[tries // 2]:>6,} {mails[tries * 95 // 100]:>6,}"


def _paused(years: list[Year]) -> float:
    return sum(year.paused for year in years) / len(years)


def _warnings(years: list[Year]) -> float:
    return sum(year.warnings for year in years) / len(years)


if __name__ == "__main__":
    typer.run(main)
