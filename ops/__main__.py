"""`python -m ops`: what an operator does. `--help` explains each command, `--json` makes each one machine-readable."""

from typing import Annotated

import typer
from typer.completion import completion_init  # type: ignore[attr-defined]

from ops.accept.command import accept
from ops.command_line.completion import COMPLETE_VARIABLE, PROGRAM, completion
from ops.command_line.console import examples
from ops.command_line.version import version
from ops.deployment import broker
from ops.deployment.destroy_check import destroy_check
from ops.deployment.limits import limits
from ops.deployment.rights import rights
from ops.doctor.command import doctor
from ops.reputation import addresses
from ops.reputation import command as reputation
from ops.reputation.drill import drill
from ops.restore.command import restore
from ops.tenants import domain, instances
from ops.tenants.cost import cost
from ops.tenants.operations import operations
from ops.tenants.portal import portal
from ops.tenants.repair import repair
from ops.troubleshooting import dead_letters
from ops.troubleshooting.errors import errors
from ops.troubleshooting.trace import trace
from ops.webhooks import command as webhooks
from ops.webhooks.replay import replay

STATUSES = "Exit status: 0 done, 1 not done (standard error says why), 2 wrongly typed."

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Operate a ses-feedback stack. Credentials, region and endpoint are those of any AWS tool.",
    epilog=STATUSES,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ses-feedback {version()}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Operate a ses-feedback stack. Credentials, region and endpoint are those of any AWS tool."""


app.add_typer(instances.app, name="instances")
app.command(epilog=examples("repair my-mail", "repair mail.agency.gov --json"))(repair)
app.command(epilog=examples("operations", "operations --json"))(operations)
app.add_typer(broker.app, name="broker")
app.add_typer(domain.app, name="domain")
app.add_typer(webhooks.app, name="webhooks")
app.command(epilog=examples("attempts", "attempts --instance mail.agency.gov --json"))(webhooks.attempts)
app.command(epilog=examples("replay --binding BINDING --since 12h", "replay --binding BINDING --id msg_0a1b2c"))(replay)
app.add_typer(dead_letters.app, name="dlq")
app.command(
    epilog=examples(
        "trace 0100019aa1b2c3d4-11111111-2222-3333-4444-555555555555-000000",
        "trace joe@example.org --instance mail.agency.gov --since 2d",
        "trace msg_0a1b2c --json",
    )
)(trace)
app.command(epilog=examples("errors", "errors delivery --since 12h"))(errors)
app.add_typer(addresses.suppression, name="suppression")
app.command(epilog=examples("resubscribe my-mail", "resubscribe mail.agency.gov"))(addresses.resubscribe)
app.command(epilog=examples("reputation my-mail", "reputation --all --json"))(reputation.reputation)
app.command(epilog=examples('pause my-mail --reason "phishing"'))(reputation.pause)
app.command(epilog=examples('resume my-mail --reason "the list was cleaned"'))(reputation.resume)
app.command(epilog=examples("marks", "marks --json"))(reputation.marks)
app.command(epilog=examples('lift agency.gov --reason "another team has the domain now"'))(reputation.lift)
app.command(epilog=examples("doctor", "doctor --json"))(doctor)
app.command(epilog=examples("portal my-mail", "portal my-mail --hours 1 --read-only", "portal --operator"))(portal)
app.command(epilog=examples("limits", "limits --json"))(limits)
app.command(epilog=examples("cost", "cost --csv"))(cost)
app.command(epilog=examples("accept", "accept --domain mail.agency.gov --json"))(accept)
app.command(epilog=examples("destroy-check", "destroy-check --json"))(destroy_check)
app.command(epilog=examples("restore broker --to 2h", "restore webhooks --to 2026-11-21T04:00Z --remove --yes --json"))(
    restore
)
app.command(epilog=examples("drill", "drill --from postmaster@agency.gov"))(drill)
app.command(epilog=examples("rights trace webhooks", "rights 'webhooks list' --policy > support.json"))(rights)
app.command(epilog=examples("completion bash"))(completion)

if __name__ == "__main__":
    completion_init()
    app(prog_name=PROGRAM, complete_var=COMPLETE_VARIABLE)
