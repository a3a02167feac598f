"""`python -m ops doctor`: look at the account and the stack, change nothing, say what to do."""

import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from ops.command_line.console import STACK, Json, StackName, clear_errors
from ops.deployment.stack import find
from ops.doctor import deployment, instances, quotas, sending, signals, zone
from ops.doctor.account import Account
from ops.doctor.findings import Check, Finding, Level, run

BEFORE: tuple[Check, ...] = (
    deployment.credentials,
    deployment.bootstrap,
    deployment.concurrency,
    sending.sending,
    sending.account_rates,
    quotas.quotas,
    zone.zone,
)
DEPLOYED: tuple[Check, ...] = (
    deployment.credentials,
    deployment.bootstrap,
    deployment.stack,
    deployment.key,
    deployment.secrets,
    deployment.logs,
    deployment.concurrency,
    deployment.event_sources,
    deployment.schedules,
    signals.queues,
    signals.queue_ages,
    signals.alarms,
    signals.operator_subscription,
    signals.admin_subscriptions,
    sending.sending,
    sending.account_rates,
    quotas.quotas,
    zone.zone,
    instances.instances,
)
_COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "red"}


def doctor(
    before_deploy: Annotated[
        bool, typer.Option("--before-deploy", help="Check what can be checked without the stack.")
    ] = False,
    context: Annotated[
        list[str] | None, typer.Option("-c", "--context", help="A context key as for cdk deploy: key=value.")
    ] = None,
    sample: Annotated[int, typer.Option(min=0, help="Instances to compare with SES, about one a second.")] = 5,
    stack: StackName = STACK,
    as_json: Json = False,
) -> None:
    """Check the account and the stack; change nothing. Status 1 if there is a problem."""
    with clear_errors():
        account = Account(stack=None if before_deploy else find(stack), context=_context(context or []), sample=sample)
        findings = []
        for check in BEFORE if before_deploy else DEPLOYED:
            found = run(check, account)
            findings += found
            if not as_json:
                _show(found)
    counts = Counter(finding.level for finding in findings)
    if as_json:
        json.dump([asdict(finding) for finding in findings], sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        typer.echo(f"{counts[Level.PROBLEM]} problem(s), {counts[Level.WARNING]} warning(s), {counts[Level.OK]} ok")
    raise typer.Exit(1 if counts[Level.PROBLEM] else 0)


def _context(given: list[str]) -> dict[str, Any]:
    """The context keys of cdk.json in the current folder, and those given."""
    file = Path("cdk.json")
    found: dict[str, Any] = json.loads(file.read_text()).get("context", {}) if file.exists() else {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals:
            raise typer.BadParameter(f"{pair}: give a context key as key=value")
        found[name] = value
    return found


def _show(findings: list[Finding]) -> None:
    for finding in findings:
        level = f"{finding.level.value:<8}"
        if sys.stdout.isatty():
            level = typer.style(level, fg=_COLOURS[finding.level])
        typer.echo(f"{level} {finding.check}: {finding.text}")
        if finding.remedy:
            typer.echo(f"         -> {finding.remedy}")
