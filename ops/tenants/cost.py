"""`ops cost`: what the events of each tenant cost this month, estimated, for showback.

The counts are the reputation counters', in recipients; a mail to many recipients makes fewer events, so the estimate is
an upper bound. The prices are those of docs/cost.md for us-east-1, with 100 tenants in a batch.
"""

import csv
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from lambdas.aws.clients import client
from lambdas.aws.dynamodb.reputation.reputation_table import ReputationTable
from lambdas.domain.reputation.evaluation import HourCounts
from lambdas.domain.webhooks.webhook import EventKind
from ops.command_line.console import STACK, Json, StackName, clear_errors, fail, progress, show
from ops.deployment.tools import Tools, tools

INTAKE = 0.90  # $ per million events: SNS's publish, the events queue, feedback's time, counters, logs
DELIVERY = 0.76  # $ per million deliveries: the deliveries queue, delivery's time, KMS, copies for replay, data out
FEEDBACK = 2.50  # $ per million bounces and complaints beside the intake: four write units each
KEPT = timedelta(days=30)  # how long counters are kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """A tenant's events of a month so far. `delivered` are webhook deliveries: each event once for each webhook."""

    deliveries: int
    bounces: int
    complaints: int
    delivered: int

    @property
    def dollars(self) -> float:
        """The estimate."""
        events = self.deliveries + self.bounces + self.complaints
        feedback = self.bounces + self.complaints
        return (events * INTAKE + self.delivered * DELIVERY + feedback * FEEDBACK) / 1e6


def month_of(hours: Iterable[HourCounts], webhooks: Sequence[frozenset[EventKind]]) -> Month:
    """The month's counts, given the kinds of events that each webhook wants."""
    counts = {EventKind.DELIVERY: 0, EventKind.BOUNCE: 0, EventKind.COMPLAINT: 0}
    for hour in hours:
        counts[EventKind.DELIVERY] += hour.deliveries
        counts[EventKind.BOUNCE] += hour.bounces
        counts[EventKind.COMPLAINT] += hour.complaints
    return Month(
        deliveries=counts[EventKind.DELIVERY],
        bounces=counts[EventKind.BOUNCE],
        complaints=counts[EventKind.COMPLAINT],
        delivered=sum(counts.get(kind, 0) for wanted in webhooks for kind in wanted),
    )


def cost(
    as_csv: Annotated[bool, typer.Option("--csv", help="Write comma-separated values.")] = False,
    stack: StackName = STACK,
    as_json: Json = False,
) -> None:
    """Estimate what each instance's events cost this month, most expensive first."""
    if as_csv and as_json:
        fail("give --csv or --json, not both")
    with clear_errors():
        rows = sorted(_rows(tools(stack), datetime.now(UTC)), key=lambda row: -row["dollars"])
    if as_csv:
        _write_csv(rows)
    else:
        show(rows, title="Estimated cost of this month's events", empty="No instances.", as_json=as_json)


def _rows(found: Tools, now: datetime) -> Iterator[dict[str, Any]]:
    since = max(now.replace(day=1, hour=0, minute=0), now - KEPT).strftime("%Y-%m-%dT%H")
    table = ReputationTable(client("dynamodb"), found.stack.tables["reputation"])
    wanted = _webhooks(found)
    for one in progress(found.directory.every(), "instances"):
        month = month_of(table.hours(one.id, since=since), wanted.get(one.id, ()))
        yield {
            **one.columns(),
            "deliveries": month.deliveries,
            "bounces": month.bounces,
            "complaints": month.complaints,
            "webhook deliveries": month.delivered,
            "dollars": round(month.dollars, 4),
        }


def _webhooks(found: Tools) -> Mapping[str, Sequence[frozenset[EventKind]]]:
    """The kinds of events that each webhook of an instance wants; none where notifications are off."""
    on = found.instances.notifications()
    wanted: dict[str, list[frozenset[EventKind]]] = {}
    for target, item in found.states.every():
        if on.get(target.instance_id):
            wanted.setdefault(target.instance_id, []).append(frozenset(map(EventKind, item.get("events", []))))
    return wanted


def _write_csv(rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        writer = csv.DictWriter(sys.stdout, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
