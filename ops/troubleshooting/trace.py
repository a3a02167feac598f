"""`ops trace`: what happened to a mail, a recipient's mails or a webhook delivery."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from lambdas.domain.webhooks.delivery import KEPT_FOR
from ops.command_line.console import STACK, Json, StackName, clear_errors, fail, show, show_one
from ops.command_line.moments import moment
from ops.deployment.tools import tools
from ops.tenants.directory import Named
from ops.troubleshooting.trail import EARLY, Kind, Question, Step, Trail, kind_of, sent_at

_LONGEST = timedelta(days=90)  # logs are kept as long, unless log_retention_days says otherwise


def trace(
    text: Annotated[
        str, typer.Argument(metavar="MESSAGE_ID|RECIPIENT|WEBHOOK_ID", help="SES's id, an address, or a webhook-id.")
    ],
    instance: Annotated[
        str | None, typer.Option(help="Look at this instance only (its id, name or domain): quicker.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            help="Look at what happened since then: 2026-11-21T04:00:00Z, or 90m, 12h, 3d. Without it: since SES's id "
            "says that the mail was sent, or 14 days."
        ),
    ] = None,
    stack: StackName = STACK,
    as_json: Json = False,
) -> None:
    """Show what happened to a mail: its events, its deliveries to webhooks with every attempt, and what still waits.

    It reads the logs, the ledger (30 days), the archive and the backlog (14 days). A recipient is looked for in all
    that is kept of webhooks' deliveries and in the ledger; a delivered mail of an instance without webhooks is found
    by its message id only. Exit status 1 if nothing is found.
    """
    now = datetime.now(UTC)
    kind = kind_of(text)
    start = moment(since, now=now, longest=_LONGEST, kept="logs are looked at") if since is not None else None
    with clear_errors():
        found = tools(stack)
        question = Question(
            text=text,
            kind=kind,
            since=start or _since(text, kind, now=now),
            until=now,
            instance_id=found.instance(instance).id if instance else None,
        )
        steps = Trail(found).steps(question)
        names = {step.instance_id: found.directory.of(step.instance_id) for step in steps if step.instance_id}
    if not steps:
        fail(f"nothing is known of the {kind.value} {text} since {question.since:%Y-%m-%d %H:%M}Z; try --since")
    _show(question, steps, list(names.values()), as_json=as_json)


def _show(question: Question, steps: Iterable[Step], instances: Sequence[Named], *, as_json: bool) -> None:
    rows = [_row(step) for step in steps]
    if as_json:
        about = {
            "asked": question.text,
            "kind": question.kind.value,
            "since": question.since,
            "until": question.until,
            "instances": [{**one.columns(), "admin_email": one.admin_email} for one in instances],
        }
        show_one({**about, "steps": rows}, as_json=True)
        return
    for one in instances:
        typer.echo(f"Instance {one}")
    typer.echo("")
    show(rows, title="", empty="", as_json=False)


def _since(text: str, kind: Kind, *, now: datetime) -> datetime:
    sent = sent_at(text, now=now) if kind is Kind.MESSAGE_ID else None
    return sent - EARLY if sent else now - KEPT_FOR


def _row(step: Step) -> dict[str, Any]:
    """A step for people and programs: a table has no use for an empty column more or less."""
    row = asdict(step)
    return {
        "at": row["at"],
        "what": row["what"],
        "type": row["type"],
        "details": row["details"],
        "message_id": row["message_id"],
        "webhook_id": row["delivery_id"],
        "webhook": row["webhook_id"],
        "instance": row["instance_id"],
        "source": row["source"],
    }
