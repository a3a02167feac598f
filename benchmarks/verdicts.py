"""How often an honest tenant is paused wrongly, and how many mails a bad one gets out: `python -m benchmarks.verdicts`.

Simulated with the rules as they are, over the hourly counters that the functions keep. Mail is sent evenly; bounces
and complaints come independently, each mail with its probability. Two ways, one to check the other:

- `year_by_complaints` draws the complaints of a year one by one and judges at each; bounces are at their mean. Quick.
- `year_by_hours` draws bounces and complaints of each hour and judges each hour.
"""

import bisect
import math
import random
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from lambdas.domain.reputation import HourCounts, Reputation, Rules, State, judge, measure
from lambdas.reputation.rules import rules_of
from lambdas.reputation.settings import ReputationSettings

HONEST_BOUNCES = 0.01
HONEST_COMPLAINTS = 0.0002
BAD_BOUNCES = 0.10
BAD_COMPLAINTS = 0.005
VOLUMES = (20, 100, 333, 1_000, 10_000, 50_000)  # mails a day; the last is 18 million a year
HOURS = 365 * 24
DEFAULTS = rules_of(
    ReputationSettings(
        reputation_table="",
        webhooks_table="",
        pacer_table="",
        deliveries_queue_url="",
        operator_topic_arn="",
        event_topic_arn="",
        partition="",
        region="",
        account="",
    )
)


FLOOR_OF_THREE = replace(DEFAULTS, minimum_complaints=3)  # to see what the floor is for
WARNED_AT_SEVEN = replace(DEFAULTS, minimum_warning_complaints=7)  # half of what a pause needs


@dataclass(frozen=True, slots=True, kw_only=True)
class Year:
    """What befell a tenant in a year."""

    paused: bool
    warnings: int


def year_by_complaints(
    volume: int, generator: random.Random, rules: Rules = DEFAULTS, *, complaint_rate: float = HONEST_COMPLAINTS
) -> Year:
    """A year of *volume* mails a day, judged at each complaint."""
    an_hour = volume / 24
    at, state, warnings = 0.0, State.HEALTHY, 0
    complaints: deque[float] = deque()
    while (at := at + generator.expovariate(complaint_rate)) < HOURS * an_hour:
        complaints.append(at)
        begin = max(_window_begin(at, an_hour, rules), 0.0)
        while complaints[0] < begin:
            complaints.popleft()
        outcomes = int(at - begin)
        bounces = round(outcomes * HONEST_BOUNCES)
        counts = Reputation(
            bounces=bounces, complaints=len(complaints), deliveries=outcomes - bounces, since=str(begin)
        )
        moved = judge(counts, rules, state).state
        warnings += moved is State.WARNED and state is State.HEALTHY
        state = moved
        if state is State.PAUSED:
            return Year(paused=True, warnings=warnings)
    return Year(paused=False, warnings=warnings)


def _window_begin(at: float, an_hour: float, rules: Rules) -> float:
    """Walk back by whole hours to `window_outcomes` or `window_days`; in mails since the beginning."""
    this_hour = at // an_hour * an_hour
    hours = math.ceil(max(0.0, rules.window_outcomes - (at - this_hour)) / an_hour)
    return this_hour - min(hours, rules.window_days * 24) * an_hour


def year_by_hours(
    volume: int,
    generator: random.Random,
    rules: Rules = DEFAULTS,
    *,
    bounce_rate: float = HONEST_BOUNCES,
    complaint_rate: float = HONEST_COMPLAINTS,
) -> Year:
    """A year of *volume* mails a day, judged at the end of each hour."""
    hours = drawn_hours(volume, generator, bounce_rate=bounce_rate, complaint_rate=complaint_rate)
    state, warnings = State.HEALTHY, 0
    for counts in windows(hours, rules):
        moved = judge(counts, rules, state).state
        warnings += moved is State.WARNED and state is State.HEALTHY
        state = moved
        if state is State.PAUSED:
            return Year(paused=True, warnings=warnings)
    return Year(paused=False, warnings=warnings)


def drawn_hours(
    volume: int, generator: random.Random, *, bounce_rate: float, complaint_rate: float
) -> Iterator[HourCounts]:
    """What is counted in each hour of a year."""
    bounces_of = _poisson(volume / 24 * bounce_rate)
    complaints_of = _poisson(volume / 24 * complaint_rate)
    for hour in range(HOURS):
        mails = volume * (hour + 1) // 24 - volume * hour // 24
        bounces = min(mails, bisect.bisect(bounces_of, generator.random()))
        complaints = bisect.bisect(complaints_of, generator.random())
        yield HourCounts(bucket=str(hour), bounces=bounces, complaints=complaints, deliveries=mails - bounces)


def windows(hours: Iterator[HourCounts], rules: Rules) -> Iterator[Reputation]:
    """The most recent representative volume after each hour: what `measure` finds, kept up to date by differences."""
    kept: deque[HourCounts] = deque()
    bounces = complaints = deliveries = 0
    for hour in hours:
        kept.append(hour)
        bounces += hour.bounces
        complaints += hour.complaints
        deliveries += hour.deliveries
        while (
            len(kept) > rules.window_days * 24
            or bounces + deliveries - kept[0].bounces - kept[0].deliveries >= rules.window_outcomes
        ):
            gone = kept.popleft()
            bounces -= gone.bounces
            complaints -= gone.complaints
            deliveries -= gone.deliveries
        yield Reputation(bounces=bounces, complaints=complaints, deliveries=deliveries, since=kept[0].bucket)


def mails_before_pause(
    volume: int, generator: random.Random, *, history: int, bounce_rate: float, complaint_rate: float
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
                if judge(measure([now, *reversed(hours)], DEFAULTS), DEFAULTS, State.HEALTHY).state is State.PAUSED:
                    return sent + mail
        sent += an_hour
        hours.append(HourCounts(bucket="n", bounces=bounces, complaints=complaints, deliveries=an_hour - bounces))


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


def main(years: int = 1_000, hourly: int = 50) -> None:
    """Print both figures as tables."""
    print(f"honest tenant: {HONEST_BOUNCES:.0%} bounces, {HONEST_COMPLAINTS:.2%} complaints; {years} tenant-years each")
    print("  mails a day   paused wrongly   warnings a year (from 7 complaints)   hour by hour   with a floor of 3")
    for volume in VOLUMES:
        quick = [year_by_complaints(volume, random.Random(n)) for n in range(years)]
        slow = [year_by_hours(volume, random.Random(n)) for n in range(hourly)]
        low = [year_by_complaints(volume, random.Random(n), FLOOR_OF_THREE) for n in range(years // 5)]
        rare = [year_by_complaints(volume, random.Random(n), WARNED_AT_SEVEN) for n in range(years // 5)]
        print(
            f"  {volume:>11,}   {_paused(quick):>14.2%}   {_warnings(quick):>15.1f} {_warnings(rare):>20.1f}"
            f"   {sum(year.paused for year in slow):>6} of {hourly:<3}   {_paused(low):>14.1%}"
        )
    print("bad tenant: mails out before the pause, median and 95th percentile of 300")
    for name, bounce_rate, complaint_rate in (
        (f"{BAD_BOUNCES:.0%} bounces", BAD_BOUNCES, HONEST_COMPLAINTS),
        (f"{BAD_COMPLAINTS:.1%} complaints", HONEST_BOUNCES, BAD_COMPLAINTS),
    ):
        for history in (0, 20_000):
            out = sorted(
                mails_before_pause(
                    10_000,
                    random.Random(n),
                    history=history,
                    bounce_rate=bounce_rate,
                    complaint_rate=complaint_rate,
                )
                for n in range(300)
            )
            kind = "after a good year" if history else "from the first mail"
            print(f"  {name:<16} {kind:<20} {out[150]:>6,} {out[285]:>6,}")


def _paused(years: list[Year]) -> float:
    return sum(year.paused for year in years) / len(years)


def _warnings(years: list[Year]) -> float:
    return sum(year.warnings for year in years) / len(years)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
