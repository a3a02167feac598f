"""The operator's pages: all instances by risk, webhooks that need help, what waits and what is stuck."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

from markupsafe import Markup

from lambdas.domain.reputation.evaluation import (
    HourCounts,
    Reputation,
    ReputationRules,
    SendingState,
    measure,
    window_begin,
)
from lambdas.domain.reputation.risk import risk
from lambdas.domain.tenants.instance import Instance
from lambdas.domain.webhooks.health import HealthState, current
from lambdas.domain.webhooks.target import Target
from lambdas.portal import charts
from lambdas.portal.http import Response, see_other
from lambdas.portal.overview import Overview, Overviews
from lambdas.portal.pages.mail import host_of
from lambdas.portal.pages.signing import home_of
from lambdas.portal.pages.status import by_day, since_bucket
from lambdas.portal.ports import Backlog, Ledger, SendingStatuses
from lambdas.portal.rendering import Renderer, percent
from lambdas.portal.routing import Call

SHOWN = 25  # instances on a page: one with mail in every hour costs some 10 ms of CPU and 5 read units
SPARK_DAYS = 7
STUCK = timedelta(minutes=15)  # without progress: the sweep has woken it three times by then
_SIDE_BY_SIDE = 16
UNWELL = 50  # webhooks that are listed
INSTANCE_QUOTA = 10_000  # configuration sets in a region: SES's quota, an instance uses one


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An instance in the list."""

    instance: Instance
    state: SendingState
    since: datetime | None
    risk: float
    counts: Reputation
    spark: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwell:
    """A webhook that is failing or disabled."""

    instance_id: str
    id: str
    host: str
    state: HealthState
    since: datetime | None
    last_reason: str
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """How much of a quota is used."""

    name: str
    used: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorPages:
    """The list at the portal's root."""

    renderer: Renderer
    statuses: SendingStatuses
    ledger: Ledger
    overviews: Overviews
    backlog: Backlog
    rules: ReputationRules
    users: Callable[[], Quota]

    def home(self, call: Call) -> Response:
        """The list for an operator; a tenant is sent to its instance."""
        session = call.signed_in
        if not session.is_operator:
            if len(session.instances) == 1:
                return see_other(home_of(session))
            return self.renderer.page(call, "mine.html", instances=session.instances)
        return self._list(call, self.overviews.fresh(call.now), needle="")

    def search(self, call: Call) -> Response:
        """The instances whose domain, organization, space or id holds the form's text. Posted: it may be an address."""
        return self._list(call, self.overviews.recent(call.now), needle=call.form.get("needle", "").strip()[:320])

    def _list(self, call: Call, overview: Overview, *, needle: str) -> Response:
        instances = overview.instances
        page = _page(call.form.get("page", ""))
        chosen = [one for one in instances if is_about(one, needle)]
        watched = set(self.statuses.watched())
        chosen.sort(key=lambda one: (one.id not in watched, one.domain, one.id))
        some = chosen[page * SHOWN : (page + 1) * SHOWN]
        with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
            rows = list(pool.map(lambda one: self._row(one, call.now), some))
        rows.sort(key=lambda row: -row.risk)
        return self.renderer.page(
            call,
            "operators.html",
            rows=rows,
            total=len(chosen),
            page=page,
            more=len(chosen) > (page + 1) * SHOWN,
            needle=needle,
            unwell=self._unwell(overview.unwell[:UNWELL], call.now),
            more_unwell=len(overview.unwell) > UNWELL,
            read_at=overview.at,
            stuck=[one for one in instances if one.busy and call.now - one.operation.touched_at >= STUCK],
            quotas=(
                self.users(),
                Quota(name="Configuration sets (service instances)", used=len(instances), limit=INSTANCE_QUOTA),
            ),
        )

    def _row(self, instance: Instance, now: datetime) -> Row:
        status = self.statuses.load(instance.id)
        begin = window_begin(self.rules, baseline=status.baseline, now=now)
        spark_begin = since_bucket(now - timedelta(days=SPARK_DAYS))
        hours = self.ledger.hours(instance.id, since=min(spark_begin, begin))
        recent, older = _split(hours, spark_begin)  # older ones are read only as far as the window reaches
        counts = measure((hour for hour in chain(recent, older) if hour.bucket >= begin), self.rules)
        rates = [point.rate for point in by_day(recent, now)][-SPARK_DAYS:]
        return Row(
            instance=instance,
            state=status.state,
            since=status.since,
            risk=risk(counts, self.rules, status.state),
            counts=counts,
            spark=charts.sparkline(
                rates,
                pause=self.rules.bounce_pause,
                label=f"Bounce rate of {SPARK_DAYS} days, today {percent(rates[-1])}",
            ),
        )

    def _unwell(self, targets: Iterable[Target], now: datetime) -> list[Unwell]:
        def view(target: Target) -> Unwell:
            health = current(target.health, target.version, now=now)
            return Unwell(
                instance_id=target.instance_id,
                id=target.webhook_id,
                host=host_of(target),
                state=health.state,
                since=health.since,
                last_reason=health.last_reason,
                waiting=self.backlog.waiting(target.instance_id, target.webhook_id),
            )

        return [view(target) for target in targets]


def _split(hours: Iterator[HourCounts], begin: str) -> tuple[list[HourCounts], Iterator[HourCounts]]:
    """The counters from bucket *begin* on, and the older ones, unread but for the first."""
    recent: list[HourCounts] = []
    for hour in hours:
        if hour.bucket < begin:
            return recent, chain([hour], hours)
        recent.append(hour)
    return recent, iter(())


def is_about(instance: Instance, needle: str) -> bool:
    """Whether *needle* is part of what an operator knows an instance by; of an address, its domain is compared."""
    wanted = needle.lower().rpartition("@")[2]
    known: Iterable[str] = (
        instance.id,
        instance.domain,
        instance.organization_guid,
        instance.space_guid,
        instance.made.alert_email,
        *_names(instance.tags),
    )
    return any(wanted in value.lower() for value in known)


def _names(tags: Mapping[str, str]) -> Iterable[str]:
    return tags.values()


def _page(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else 0
