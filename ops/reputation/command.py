"""`ops reputation`, `pause`, `resume`, `marks`, `lift`: sending statuses, their evidence, and an operator's say."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from lambdas.domain.reputation.evaluation import HourCounts, SendingState, window_begin
from lambdas.domain.reputation.ledger import LedgerEntry
from lambdas.domain.reputation.risk import risk
from lambdas.domain.reputation.sending_status import Mark, SendingStatus, Transition
from lambdas.reputation.composition import Composition
from ops.command_line.console import STACK, Json, Shown, StackName, clear_errors, fail, has_colour, say, show, show_one
from ops.deployment.tools import tools
from ops.reputation.sending_status import ActionRefused, operator_of, reputation_composition
from ops.tenants.directory import Directory


class Rate(float):
    """A share of one: a number in JSON, a percentage for people."""

    def __str__(self) -> str:
        """To three digits: 2.99 %, 0.0412 %."""
        return f"{100 * self:.3g} %"


_WHICH = "The service instance: its id, name or domain."
InstanceArgument = Annotated[str, typer.Argument(metavar="INSTANCE", help=_WHICH)]
Why = Annotated[str, typer.Option("--reason", help="Why; recorded, and written in the mails.")]
_STYLES = {SendingState.HEALTHY: "green", SendingState.WARNED: "yellow", SendingState.PAUSED: "red"}
_OVERVIEW = (
    "instance",
    "name",
    "organization",
    "space",
    "domain",
    "state",
    "risk",
    "bounce_rate",
    "complaint_rate",
    "bounces",
    "complaints",
    "deliveries",
    "undone",
)
_BARS = 24  # hours shown, unless asked for more
_BAR = 40  # characters of the fullest hour


def pause(instance: InstanceArgument, reason: Why, stack: StackName = STACK, as_json: Json = False) -> None:
    """Stop an instance's sending. Its admin_email, its webhooks and the operator are notified."""
    with clear_errors():
        found = tools(stack)
        who = found.instance(instance)
        try:
            done = operator_of(found.stack).pause(who.id, why=reason, now=datetime.now(UTC))
        except ActionRefused as refused:
            fail(str(refused))
    say(f"Instance {who} is paused.", _transition(done), as_json=as_json)


def resume(instance: InstanceArgument, reason: Why, stack: StackName = STACK, as_json: Json = False) -> None:
    """Let a paused instance send again. Feedback on mail sent before now will not count any more."""
    with clear_errors():
        found = tools(stack)
        who = found.instance(instance)
        try:
            done = operator_of(found.stack).resume(who.id, why=reason, now=datetime.now(UTC))
        except ActionRefused as refused:
            fail(str(refused))
    say(f"Instance {who} may send again; its rates start again from zero.", _transition(done), as_json=as_json)


def reputation(
    instance: Annotated[str | None, typer.Argument(metavar="[INSTANCE]", help=_WHICH)] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every instance, those at most risk first.")] = False,
    hours: Annotated[int, typer.Option(help="How many hours with mail to show.")] = _BARS,
    entries: Annotated[int, typer.Option(help="How many of the latest ledger entries to show.")] = 20,
    stack: StackName = STACK,
    as_json: Json = False,
) -> None:
    """Show an instance's rates, its hours and its ledger; or all instances by risk."""
    if (instance is None) is not all_:
        fail("give either an INSTANCE or --all")
    now = datetime.now(UTC)
    with clear_errors():
        found = tools(stack)
        composition, _ = reputation_composition(found.stack)
        if instance is None:
            rows = sorted(_rows(composition, found.directory, now), key=lambda row: -row["risk"].value)
            shown = rows if as_json else [{name: row[name] for name in _OVERVIEW} for row in rows]
            show(shown, title="Reputation", empty="No instances.", as_json=as_json)
            return
        who = found.instance(instance)
        if composition.webhooks.audience(who.id) is None:
            fail(f"instance {who} sends no mail")
        _show(composition, found.directory, who.id, hours=hours, entries=entries, now=now, as_json=as_json)


def _show(
    composition: Composition,
    directory: Directory,
    instance: str,
    *,
    hours: int,
    entries: int,
    now: datetime,
    as_json: bool,
) -> None:
    row, status = _row(composition, directory, instance, now)
    since = window_begin(composition.evaluator.rules, baseline=status.baseline, now=now)
    newest = [hour for hour, _ in zip(composition.table.hours(instance, since=since), range(hours), strict=False)]
    latest = composition.table.latest(instance, limit=entries)
    history = composition.statuses.history(instance)
    if as_json:
        row |= {"hours": [asdict(hour) for hour in newest], "ledger": [_entry(entry) for entry in latest]}
        show_one(row | {"history": [_transition(one) for one in history]}, as_json=True)
        return
    show_one(row, as_json=False)
    for line in bars(newest, colour=has_colour()):
        typer.echo(line)
    typer.echo("\nLedger:")
    show([_entry(entry) for entry in latest], title="", empty="Nothing in the ledger.", as_json=False)
    moves = [{name: fact for name, fact in _transition(one).items() if name != "instance"} for one in history]
    typer.echo("\nHistory:")
    show(moves, title="", empty="No history.", as_json=False)


def bars(newest_first: Sequence[HourCounts], *, colour: bool = False) -> Iterator[str]:
    """A bar per hour, oldest first: bounces (▒, red) and deliveries (█, green), with the bounce rate and complaints."""
    fullest = max((hour.bounces + hour.deliveries for hour in newest_first), default=0)
    for hour in reversed(newest_first):
        outcomes = hour.bounces + hour.deliveries
        length = -(-outcomes * _BAR // fullest) if fullest else 0
        bad = min(length, -(-hour.bounces * _BAR // fullest)) if fullest else 0
        rate = hour.bounces / outcomes if outcomes else 0.0
        composition = (("▒" * bad, "red"), ("█" * (length - bad), "green"))
        bar = "".join(typer.style(text, fg=style) if colour else text for text, style in composition) + " " * (
            _BAR - length
        )
        yield f"{hour.bucket:<19} {bar} {outcomes:>7,}  {rate:>6.1%} bounced  {hour.complaints} complaints"


def marks(stack: StackName = STACK, as_json: Json = False) -> None:
    """Show the domains whose pause outlives its instance: new instances there, and below, start paused."""
    now = datetime.now(UTC)
    with clear_errors():
        composition, _ = reputation_composition(tools(stack).stack)
        rows = [_mark(mark) for mark in composition.marks.every_mark(now=now)]
    show(rows, title="Marks", empty="No domain is marked.", as_json=as_json)


def lift(
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="A domain that `marks` shows.")],
    reason: Why,
    stack: StackName = STACK,
    as_json: Json = False,
) -> None:
    """Lift the mark on a domain, so that new instances there start healthy."""
    with clear_errors():
        try:
            lifted = operator_of(tools(stack).stack).lift(domain, why=reason, now=datetime.now(UTC))
        except ActionRefused as refused:
            fail(str(refused))
    say(f"New instances on {domain} start healthy.", _mark(lifted), as_json=as_json)


def _mark(mark: Mark) -> dict[str, Any]:
    pause = mark.transition
    return {
        "domain": mark.domain,
        "until": mark.until,
        "instance": pause.instance_id,
        "paused_at": pause.at,
        "cause": pause.cause.value,
        "bounce_rate": Rate(round(pause.reputation.bounce_rate, 6)),
        "complaint_rate": Rate(round(pause.reputation.complaint_rate, 6)),
        "outcomes": pause.reputation.outcomes,
    }


def _rows(composition: Composition, directory: Directory, now: datetime) -> Iterable[dict[str, Any]]:
    for instance in composition.instances.part(0, of=1):
        yield _row(composition, directory, instance, now)[0]


def _row(
    composition: Composition, directory: Directory, instance: str, now: datetime
) -> tuple[dict[str, Any], SendingStatus]:
    status = composition.statuses.load(instance)
    counts = composition.evaluator.measure(status, now=now)
    rules = composition.evaluator.rules
    who = directory.of(instance)
    row = {
        **who.columns(),
        "admin_email": who.admin_email,
        "state": Shown(status.state.value, _STYLES[status.state]),
        "since": status.since,
        "cause": status.cause.value if status.cause else None,
        "until": status.until,
        "probation_until": status.probation_until,
        "risk": Shown(risk(counts, rules, status.state), "bold"),
        "bounce_rate": _rate(counts.bounce_rate, rules.bounce_warning, rules.bounce_pause),
        "complaint_rate": _rate(counts.complaint_rate, rules.complaint_warning, rules.complaint_pause),
        "bounces": counts.bounces,
        "complaints": counts.complaints,
        "deliveries": counts.deliveries,
        "window_since": counts.since,
        "baseline": status.baseline,
        "undone": [step.value for step in status.pending.left] if status.pending else [],
    }
    return row, status


def _rate(rate: float, warning: float, limit: float) -> Shown:
    return Shown(Rate(round(rate, 6)), "red" if rate >= limit else "yellow" if rate >= warning else "green")


def _entry(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "at": entry.timestamp,
        "kind": entry.kind.value,
        "reason": entry.reason,
        "recipients": list(entry.recipients),
        "counted": entry.counted,
        "mail": entry.message_id,
        "feedback": entry.key,
    }


def _transition(transition: Transition) -> dict[str, Any]:
    counts = transition.reputation
    return {
        "at": transition.at,
        "instance": transition.instance_id,
        "before": transition.before.value,
        "after": transition.after.value,
        "cause": transition.cause.value,
        "until": transition.until,
        "by": transition.by,
        "why": transition.why or ", ".join(reason.value for reason in transition.reasons),
        "bounce_rate": Rate(round(counts.bounce_rate, 6)),
        "complaint_rate": Rate(round(counts.complaint_rate, 6)),
        "outcomes": counts.outcomes,
    }
