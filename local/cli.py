"""`python -m local`: an embedded AWS with the stack deployed, to try out, develop and test against."""

import os
import shlex
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lambdas.domain.tenants.aws_names import configuration_set
from local.clients import Clients
from local.counters import NoInstance, counters, has_instance
from local.demo import Demo, DemoFailed
from local.deploy import NotDeployed
from local.emulator.publishing import as_new, publish, told_of
from local.picture import recording_console, save_picture
from local.portal_links import sign_in_link
from local.process import NotStarted
from local.showing import deploying
from local.stack import FOLDER, LocalStack, NotRunning
from local.tenant.sender import NoSender, send_for
from ops.deployment.osb import Broker, BrokerRefused, OperationFailed

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, rich_markup_mode="rich")
console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())

_folder = FOLDER


@app.callback()
def _where(
    folder: Annotated[
        Path, typer.Option(envvar="SES_FEEDBACK_FOLDER", help="Where the stack keeps its files; one stack a folder.")
    ] = FOLDER,
) -> None:
    global _folder
    _folder = folder.resolve()


Instance = Annotated[str, typer.Option("--instance", "-i", help="Id of a service instance.")]
_FAILURES = (NoInstance, NotRunning, NotStarted, NotDeployed, DemoFailed, BrokerRefused, OperationFailed, NoSender)


@app.command()
def up(
    context: Annotated[
        list[str] | None, typer.Option("--context", "-c", help="A stack context key, as for cdk deploy: key=value.")
    ] = None,
) -> None:
    """Start the embedded AWS, deploy the stack, keep both running.

    Run it again to deploy changes: what runs is kept. Ports are chosen freely, or by SES_FEEDBACK_PORT (the
    AWS), SES_FEEDBACK_SMTP_PORT and SES_FEEDBACK_PORTAL_PORT. STRICT=1 in the environment deploys production's address
    rules: public addresses over TLS only. All files are in .local/; .local/stack.json has the addresses.
    """
    with deploying(console) as watch:
        facts = LocalStack(_folder, outlives=True).up(
            watch, strict=os.environ.get("STRICT") == "1", context=_pairs(context or [])
        )
    _show(facts)
    if facts["portal_url"]:
        console.print(f"Sign in to the portal as the operator, once within 15 minutes:\n{sign_in_link(facts)}")


@app.command()
def down() -> None:
    """Stop what `up` started. The state of the embedded AWS is lost."""
    console.print("Stopped." if LocalStack(_folder).down() else "Nothing was running.")


@app.command()
def status() -> None:
    """Show what `up` keeps running, and whether messages wait or failed."""
    facts = LocalStack(_folder).facts()
    _show(facts)
    sqs = Clients(facts["aws_endpoint_url"], facts["region"]).client("sqs")
    table = Table("queue", "waiting", "in flight")
    for name, url in facts["queues"].items():
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        table.add_row(name, *(counts[count] for count in names))
    console.print(table)


@app.command()
def send(
    instance: Instance,
    to: Annotated[list[str], typer.Option("--to", help="A recipient; say it again for more.")],
    binding: Annotated[str, typer.Option(help="The binding that sends; one of the instance's unless given.")] = "",
    subject: Annotated[str, typer.Option(help="The mail's subject.")] = "Hello",
    smtp: Annotated[bool, typer.Option("--smtp", help="By SMTP instead of the API; needs a binding.")] = False,
) -> None:
    """Send a mail for an instance, with a binding's credentials.

    bounce@, softbounce@, complaint@ and delay@ at any domain under .example cause that event, as do the
    mailboxes of simulator.amazonses.com (which count in no rate). All other mail is delivered.
    """
    facts = LocalStack(_folder).facts()
    message_id = send_for(facts, instance, to, binding_id=binding, subject=subject, smtp=smtp)
    console.print(f"Sent [cyan]{message_id}[/].")


@app.command("publish")
def publish_file(
    file: Annotated[Path, typer.Argument(help="A file with an event as SES publishes it.", exists=True)],
    instance: Instance,
    new: Annotated[bool, typer.Option("--new", help="Give it ids and times of its own: no duplicate.")] = False,
) -> None:
    """Publish a raw event as SES would, for mail of an instance. Text that is not an event is published unchanged."""
    facts = _facts_with(instance)
    text = file.read_text()
    if new:
        text = as_new(text, now=datetime.now(UTC), region=facts["region"])
    publish(facts, told_of(text, instance))
    console.print(f"Published to [cyan]{facts['event_topic_arn']}[/] for {configuration_set(instance)}.")


@app.command()
def count(instance: Instance) -> None:
    """Show what was counted for an instance."""
    for name, number in counters(_facts_with(instance), instance).items():
        console.print(f"{name:<12}{number:>8}")


@app.command()
def demo(
    receiver_down: Annotated[
        float, typer.Option(help="Stop the receiver midway for so many seconds, and watch the retries.", min=0, max=120)
    ] = 0,
    portal: Annotated[bool, typer.Option("--portal", help="Keep the portal up at the end, until Ctrl-C.")] = False,
    picture: Annotated[Path | None, typer.Option(help="Write what was shown to this SVG file too.")] = None,
) -> None:
    """Provision and bind a tenant, send its mail, and show each webhook as it arrives; on a stack of its own."""
    shown = console if picture is None else recording_console()
    Demo(console=shown, folder=_folder / "demo", receiver_down=receiver_down, portal=portal).run()
    shown.print("[green]Every event arrived, signed, and was counted.[/]")
    if picture is not None:
        save_picture(shown, picture)


@app.command()
def env() -> None:
    """Print the variables with which `python -m ops`, the AWS CLI and SDKs use the embedded AWS.

    In a shell: `eval "$(python -m local env)"`.
    """
    facts = LocalStack(_folder).facts()
    for name, value in {
        "AWS_ENDPOINT_URL": facts["aws_endpoint_url"],
        "AWS_REGION": facts["region"],
        "AWS_DEFAULT_REGION": facts["region"],
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "SES_FEEDBACK_STACK_NAME": facts["stack_name"],
    }.items():
        typer.echo(f"export {name}={shlex.quote(value)}")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        typer.echo(f"unset {name}")


def main() -> None:
    """Entry point. Expected failures are one line on standard error, with exit status 1."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    try:
        app()
    except _FAILURES as failure:
        Console(stderr=True, highlight=False).print(f"[red]Failed:[/] {escape(str(failure))}", soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _facts_with(instance_id: str) -> dict[str, Any]:
    """The contents of stack.json. Raises NoInstance if the stack has no such instance."""
    facts = LocalStack(_folder).facts()
    if not has_instance(facts, instance_id):
        raise NoInstance(f"There is no instance {instance_id} here; `python -m ops instances list` shows them.")
    return facts


def _show(facts: dict[str, Any]) -> None:
    with Broker(facts["broker_url"], facts["broker_username"], facts["broker_password"]) as broker:
        answering = broker.http.get("/v2/catalog").status_code == httpx.codes.OK
    table = Table(show_header=False, box=None)
    table.add_row("AWS", facts["aws_endpoint_url"])
    table.add_row("SMTP", f"{facts['smtp_host']}:{facts['smtp_port']}")
    table.add_row("broker", facts["broker_url"] + ("" if answering else "  [red](does not answer with a catalog)[/]"))
    table.add_row("", f"user {facts['broker_username']}, password in {_folder / 'stack.json'}")
    table.add_row("portal", facts["portal_url"] or "off")
    table.add_row("rules", "production's" if facts["strict"] else "plain HTTP and loopback allowed")
    console.print(table)


def _pairs(texts: list[str]) -> dict[str, str]:
    for text in texts:
        if "=" not in text:
            raise typer.BadParameter(f"{text!r} is not key=value")
    return dict(text.split("=", 1) for text in texts)
