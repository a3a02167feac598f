"""The status page: healthy, warned or paused, since when, why, and on what evidence."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from markupsafe import Markup

from lambdas.domain.reputation.evaluation import (
    HourCounts,
    Reputation,
    ReputationRules,
    SendingState,
    measure,
    window_begin,
)
from lambdas.domain.reputation.ledger import LedgerEntry, hour_of
from lambdas.domain.reputation.sending_status import Cause, SendingStatus, Transition
from lambdas.domain.tenants.instance import Instance
from lambdas.portal import charts
from lambdas.portal.charts import Point
from lambdas.portal.csv import evidence_csv
from lambdas.portal.errors import NotFound, Refusal
from lambdas.portal.http import Response
from lambdas.portal.ports import Ledger, SendingStatuses
from lambdas.portal.rendering import Renderer, percent
from lambdas.portal.routing import Call

DAYS = 30  # of the chart by day, as far as the ledger reaches
HOURS = 72  # of the chart by hour
ENTRIES = 25  # of the evidence on a page
CSV_ENTRIES = 20_000  # of a download: about 4 MB; a response may hold 6
_TRANSITIONS = 20  # of the history on the page

CAUSES = {
    Cause.RATES: "the rates of this instance",
    Cause.SES_RATES: "rates that Amazon SES reports",
    Cause.OUTSIDE: "sending was disabled in Amazon SES by somebody else",
    Cause.OPERATOR: "the operator",
    Cause.TENANT: "the tenant",
    Cause.ORGANIZATION: "the rates of the whole organization",
    Cause.EARLIER_PAUSE: "the pause of an earlier service instance of this domain",
    Cause.DAILY_CAP: "the operator's cap on a day's mail",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """One rate against its thresholds."""

    name: str
    rate: float
    warning: float
    pause: float
    count: int
    svg: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusView:
    """All that the page shows."""

    state: SendingState
    since: datetime | None
    why: str
    probation_until: datetime | None
    counts: Reputation
    window_since: datetime | None
    enough: bool
    gauges: tuple[Gauge, ...]
    chart: Markup
    points: tuple[Point, ...]
    by: str
    history: tuple[tuple[Transition, str], ...]
    entries: tuple[LedgerEntry, ...]
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPages:
    """The status page and the download of its evidence."""

    renderer: Renderer
    statuses: SendingStatuses
    ledger: Ledger
    rules: ReputationRules
    instance: Callable[[str], Instance]

    def show(self, call: Call) -> Response:
        """The page."""
        instance = self.instance(call.instance)
        by = "hour" if call.request.query.get("by") == "hour" else "day"
        status = self.statuses.load(call.instance)
        hours = list(self.ledger.hours(call.instance, since=since_bucket(call.now - timedelta(days=DAYS))))
        entries, after = self.ledger.page(call.instance, after=cursor(call), limit=ENTRIES)
        view = status_view(
            status,
            self.statuses.history(call.instance)[:_TRANSITIONS],
            hours,
            rules=self.rules,
            by=by,
            entries=entries,
            after=after,
            now=call.now,
        )
        return self.renderer.page(call, "status.html", instance=instance, view=view)

    def download(self, call: Call) -> Response:
        """The evidence as CSV, newest first."""
        self.instance(call.instance)
        entries = (entry for entry, _ in zip(self.ledger.entries(call.instance), range(CSV_ENTRIES), strict=False))
        return Response(
            body=evidence_csv(entries),
            content_type="text/csv; charset=utf-8",
            headers={"content-disposition": f'attachment; filename="evidence-{call.now:%Y-%m-%d}.csv"'},
        )


def status_view(
    status: SendingStatus,
    history: Sequence[Transition],
    hours: Sequence[HourCounts],
    *,
    rules: ReputationRules,
    by: str,
    entries: Sequence[LedgerEntry],
    after: str,
    now: datetime,
) -> StatusView:
    """What the page says of *status*; *hours* are the counters of 30 days, newest first."""
    begin = window_begin(rules, baseline=status.baseline, now=now)
    counts = measure((hour for hour in hours if hour.bucket >= begin), rules)
    probation = status.is_on_probation(now=now)
    floors = rules.with_low_floors() if probation else rules
    points = tuple(_by_hour(hours, now) if by == "hour" else by_day(hours, now))
    return StatusView(
        state=status.state,
        since=status.since,
        why=reason_of(history[0]) if history and status.state is not SendingState.HEALTHY else "",
        counts=counts,
        window_since=hour_of(counts.since) if counts.since else None,
        probation_until=status.probation_until if probation else None,
        enough=counts.outcomes >= floors.minimum_outcomes,
        gauges=tuple(_gauges(counts, rules)),
        chart=charts.bars(
            points,
            warning=rules.bounce_warning,
            pause=rules.bounce_pause,
            label=f"Outcomes by {by}; the table below has the numbers",
        ),
        points=points,
        by=by,
        history=tuple((transition, reason_of(transition)) for transition in history),
        entries=tuple(entries),
        after=after,
    )


def reason_of(transition: Transition) -> str:
    """Why a transition was made, in words for the tenant."""
    rates = {
        "bounce_rate": f"{percent(transition.reputation.bounce_rate)} of mails bounced",
        "complaint_rate": f"{percent(transition.reputation.complaint_rate)} of mails drew a complaint",
    }
    parts = [rates.get(reason.value, reason.value.replace("_", " ")) for reason in transition.reasons]
    cause = CAUSES.get(transition.cause, str(transition.cause).replace("_", " "))
    return "; ".join(part for part in (", ".join(parts), f"decided by {cause}", transition.why or "") if part)


def cursor(call: Call) -> str:
    """Where the evidence goes on: a ledger key, made of SES's ids. Raises Refusal."""
    after = call.request.query.get("after", "")
    if len(after) > 400 or not after.isprintable():
        raise Refusal("The page's address is malformed; open the status page again.")
    return after


def known(find: Callable[[str], Instance | None]) -> Callable[[str], Instance]:
    """*find*, raising NotFound for an instance that is gone."""

    def instance(instance_id: str) -> Instance:
        found = find(instance_id)
        if found is None:
            raise NotFound("There is no such service instance any more.")
        return found

    return instance


def _gauges(counts: Reputation, rules: ReputationRules) -> Iterable[Gauge]:
    for name, rate, warning, pause, count in (
        ("Bounce rate", counts.bounce_rate, rules.bounce_warning, rules.bounce_pause, counts.bounces),
        ("Complaint rate", counts.complaint_rate, rules.complaint_warning, rules.complaint_pause, counts.complaints),
    ):
        label = f"{name} {percent(rate)}; warning at {percent(warning)}, pause at {percent(pause)}"
        svg = charts.gauge(rate, warning=warning, pause=pause, label=label)
        yield Gauge(name=name, rate=rate, warning=warning, pause=pause, count=count, svg=svg)


def by_day(hours: Iterable[HourCounts], now: datetime) -> Iterator[Point]:
    """The counters of the last 30 days as a point a day, oldest first."""
    begin = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    days = [begin - timedelta(days=number) for number in reversed(range(DAYS))]
    yield from _points(hours, days, lambda hour: hour.replace(hour=0, minute=0, second=0), "%d %b")


def _by_hour(hours: Iterable[HourCounts], now: datetime) -> Iterator[Point]:
    begin = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    slots = [begin - timedelta(hours=number) for number in reversed(range(HOURS))]
    yield from _points(hours, slots, lambda hour: hour.replace(minute=0, second=0), "%d %b %H:00")


def _points(
    hours: Iterable[HourCounts], slots: Sequence[datetime], slot_of: Callable[[datetime], datetime], label: str
) -> Iterator[Point]:
    sums = {slot: [0, 0, 0] for slot in slots}
    for hour in hours:
        counted = sums.get(slot_of(hour_of(hour.bucket)))
        if counted is not None:
            for place, count in enumerate((hour.deliveries, hour.bounces, hour.complaints)):
                counted[place] += count
    for slot, (deliveries, bounces, complaints) in sums.items():
        written = slot.strftime(label)
        yield Point(
            label=written,
            title=f"{written}: {deliveries:,} delivered, {bounces:,} bounced, {complaints:,} complaints",
            deliveries=deliveries,
            bounces=bounces,
            complaints=complaints,
        )


def since_bucket(moment: datetime) -> str:
    """The counter of the hour of *moment*."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H")
