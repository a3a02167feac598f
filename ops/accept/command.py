"""`python -m ops accept`: the whole journey on the deployed stack, real or embedded."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from botocore.exceptions import BotoCoreError, ClientError

from ops.accept import receiver as receivers
from ops.accept.journey import Journey, StepFailed
from ops.accept.mail import SmtpServer
from ops.command_line.console import STACK, Json, StackName, clear_errors, fail
from ops.deployment.osb import Broker, BrokerRefused, OperationFailed
from ops.deployment.stack import Stack, find
from ops.doctor.account import Account
from ops.reputation.sending_status import operator_of
from ops.troubleshooting.refusals import RefusedCall, refused_calls

OPERATION_TIMEOUT = 1200.0  # s: a generated domain waits until SES has verified it
REMEMBERED = Path.home() / ".ses-feedback" / "accept.json"  # instances that are not removed yet


def accept(
    domain: Annotated[
        str, typer.Option(help="A domain that is verified already; by default one is generated in the operator's zone.")
    ] = "",
    smtp: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where SMTP goes instead of SES: an embedded AWS's listener.")
    ] = "",
    smtp_authority: Annotated[str, typer.Option(metavar="FILE", help="PEM file to check that listener with.")] = "",
    stack: StackName = STACK,
    as_json: Json = False,
) -> None:
    """Provision, bind, send, receive, pause and remove an instance; show what works. Status 1 if a step fails.

    Deploys a receiver in a stack of its own and removes it. Sends about ten mails to SES's mailbox simulator. What a
    run that was interrupted left is removed by the next.
    """
    server = _smtp(smtp, smtp_authority)
    with clear_errors():
        deployed = find(stack)
        account = Account(stack=deployed)
        results = []
        with _journey(account, deployed, server, domain) as journey:
            for result in _results(journey, partial(_refused, deployed)):
                results.append(result)
                if not as_json:
                    _show(result)
    if as_json:
        json.dump(results, sys.stdout, indent=2)
        sys.stdout.write("\n")
    raise typer.Exit(0 if all(result["ok"] for result in results) else 1)


@contextmanager
def _journey(account: Account, stack: Stack, smtp: SmtpServer | None, domain: str) -> Iterator[Journey]:
    secret = account.secret(stack.outputs["BrokerCredentialsSecretArn"])
    typer.echo("deploying the receiver, a minute or two on AWS ...", err=True)
    receiver = receivers.deploy(account)
    try:
        with Broker(stack.broker_url, secret["username"], secret["password"], timeout=OPERATION_TIMEOUT) as broker:
            journey = Journey(
                account=account,
                broker=broker,
                receiver=receiver,
                operator=operator_of(stack),
                remembered=REMEMBERED,
                smtp=smtp,
                domain=domain,
                enforces=not _is_embedded(),
            )
            journey.clean_up()
            try:
                yield journey
            finally:
                if left := journey.clean_up():
                    typer.echo(f"not removed: {', '.join(left)}; the next run tries again", err=True)
    finally:
        typer.echo("removing the receiver ...", err=True)
        receivers.remove(account)


def _results(journey: Journey, refused: Callable[[datetime], list[dict[str, str]]]) -> Iterator[dict[str, Any]]:
    """Each step's result; the first that fails is the last.

    *refused* reads which calls AWS refused to the functions since then.
    """
    for name, step in journey.steps():
        began, at = time.monotonic(), datetime.now(UTC)
        problem = ""
        try:
            step()
        except (StepFailed, BrokerRefused, OperationFailed, ClientError) as error:
            problem = _described(error)
        yield {
            "step": name,
            "ok": not problem,
            "seconds": round(time.monotonic() - began, 1),
            "problem": problem,
            "refused": refused(at) if problem else [],
        }
        if problem:
            return


def _refused(stack: Stack, since: datetime) -> list[dict[str, str]]:
    """What AWS refused to the functions since then. Empty if their logs cannot be read: the step's problem counts."""
    try:
        return [asdict(call) for call in refused_calls(stack, since=since, until=datetime.now(UTC))]
    except (ClientError, BotoCoreError):
        return []


def _described(error: Exception) -> str:
    """What failed; of a call that AWS refused, the operation and its answer."""
    if isinstance(error, ClientError):
        return f"{error.operation_name}: {error.response['Error']['Code']}: {error.response['Error']['Message']}"
    return str(error)


def _show(result: dict[str, Any]) -> None:
    mark = "ok" if result["ok"] else "FAILED"
    typer.echo(f"{mark:<7}{result['seconds']:>7.1f} s  {result['step']}")
    if result["problem"]:
        typer.echo(f"                   {result['problem']}")
        for call in result["refused"]:
            typer.echo(f"                   {RefusedCall(**call)}")
        typer.echo("                   python -m ops errors --since 15m shows what the functions logged")


def _smtp(server: str, authority: str) -> SmtpServer | None:
    if not server:
        if _is_embedded():
            fail("on an embedded AWS give --smtp HOST:PORT and --smtp-authority FILE (.local/stack.json has both)")
        return None
    host, _, port = server.rpartition(":")
    if not host or not port.isdigit():
        raise typer.BadParameter(f"{server}: give HOST:PORT", param_hint="--smtp")
    return SmtpServer(host=host, port=int(port), authority=authority)


def _is_embedded() -> bool:
    return urlsplit(os.environ.get("AWS_ENDPOINT_URL", "")).hostname in ("127.0.0.1", "localhost", "::1")
