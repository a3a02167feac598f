"""`ops restore`: rehearse the recovery of a table: restore it beside the live one, compare, say how to switch."""

import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from botocore.exceptions import ClientError

from lambdas.aws.clients import client
from ops.command_line.console import STACK, Json, StackName, clear_errors, fail, say
from ops.command_line.moments import moment
from ops.deployment.stack import find
from ops.restore.comparison import Comparison, Unread, compare
from ops.restore.table import NotRestorable, Plan, begin, how_to_remove, how_to_switch, plan, wait

LATEST = "latest"  # some minutes ago
MOST_DOLLARS = 5.0
RECOVERY = timedelta(days=35)  # that DynamoDB can go back
STREAMS = ("reputation",)  # tables whose stream a function reads


def restore(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="webhooks, reputation, backlog, broker, ...")],
    to: Annotated[str, typer.Option("--to", help="The moment: 2026-11-21T04:00Z, 2h for two hours ago, or latest.")],
    sample: Annotated[int, typer.Option(min=1, max=10_000, help="Items that are compared one by one.")] = 500,
    most: Annotated[float, typer.Option("--most", help="Stop if the estimate is above so many dollars.")] = (
        MOST_DOLLARS
    ),
    remove: Annotated[bool, typer.Option("--remove", help="Remove the restored table after the comparison.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    stack: StackName = STACK,
    as_json: Json = False,
) -> None:
    """Restore a table beside the live one, compare the two, and say how to switch. The live table is only read."""
    with clear_errors():
        wanted = _plan(table, to, stack)
        _confirm(wanted, most, yes=yes, as_json=as_json)
        dynamodb = client("dynamodb")
        begin(dynamodb, wanted)
        try:
            wait(dynamodb, wanted.target, progress=_progress)
            found = compare(dynamodb, wanted.target, wanted.source, sample=sample, progress=_progress)
            if remove:
                dynamodb.delete_table(TableName=wanted.target)
        except (KeyboardInterrupt, ClientError, Unread) as error:
            _stopped(wanted, error)
    steps = how_to_switch(wanted, stream=table in STREAMS)
    say(_text(wanted, found, steps, removed=remove), _row(wanted, found, steps, removed=remove), as_json=as_json)


def _plan(table: str, to: str, stack: str) -> Plan:
    tables = find(stack).tables
    if table not in tables:
        fail(f"{table} is no table of the stack; there are {', '.join(sorted(tables))}")
    now = datetime.now(UTC)
    chosen = None
    if to != LATEST:
        chosen = moment(to, now=now, longest=RECOVERY, kept="tables can be restored", option="--to")
    try:
        return plan(client("dynamodb"), tables[table], to=chosen, now=now)
    except NotRestorable as error:
        fail(str(error))


def _confirm(wanted: Plan, most: float, *, yes: bool, as_json: bool) -> None:
    words = (
        f"Restoring {wanted.source} ({wanted.items:,} items, {wanted.size / 1e6:,.1f} MB by DynamoDB's count of the "
        f"last six hours) as of {wanted.to:%F %T} UTC to {wanted.target} costs about ${wanted.dollars:.2f}, and $0.25 "
        "per GB and month while it stays."
    )
    if wanted.dollars > most:
        fail(f"{words} That is above --most {most:g}.")
    if yes:
        return
    if as_json:
        fail(f"{words} With --json, confirm by --yes.")
    typer.echo(words)
    if not typer.confirm("Restore?"):
        fail("nothing was restored")


def _stopped(wanted: Plan, error: BaseException) -> None:
    """Say what is left: DynamoDB does not let a table go while it is being restored."""
    what = "interrupted" if isinstance(error, KeyboardInterrupt) else str(error)
    fail(f"{what}. {wanted.target} may be left; once it is ACTIVE, remove it: {how_to_remove(wanted.target)}")


def _progress(words: str) -> None:
    typer.echo(words, err=True)
    sys.stderr.flush()


def _text(wanted: Plan, found: Comparison, steps: list[str], *, removed: bool) -> str:
    lines = [
        f"{wanted.target} has {found.restored:,} items, {wanted.source} has {found.live:,} now.",
        f"Of {found.sampled} restored items compared, {found.same} are the same in the live table, {found.changed} "
        f"have changed and {found.missing} are gone.",
        *(f"  gone: {key}" for key in found.missing_keys),
        "",
        "To switch to the restored items:" if not removed else "To switch, restore again without --remove, and then:",
        *(f"{number}. {step}" for number, step in enumerate(steps, 1)),
        "",
        f"{wanted.target} was removed." if removed else f"To remove the restored table: {how_to_remove(wanted.target)}",
    ]
    return "\n".join(lines)


def _row(wanted: Plan, found: Comparison, steps: list[str], *, removed: bool) -> dict[str, Any]:
    return {
        "table": wanted.source,
        "restored": wanted.target,
        "to": wanted.to,
        "dollars": round(wanted.dollars, 4),
        "items": asdict(found),
        "switch": steps,
        "remove": "" if removed else how_to_remove(wanted.target),
    }
