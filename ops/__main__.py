"""`python -m ops`: what an operator does. `--help` tells of each command, `--json` makes each one machine-readable."""

import typer

from ops import addresses, broker, dead_letters, reputation, webhooks
from ops.doctor.command import doctor
from ops.drill import drill
from ops.replay import replay

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Operate a ses-feedback stack.")
app.add_typer(broker.app, name="broker")
app.add_typer(webhooks.app, name="webhooks")
app.command()(webhooks.attempts)
app.command()(replay)
app.add_typer(dead_letters.app, name="dlq")
app.add_typer(addresses.suppression, name="suppression")
app.command()(addresses.resubscribe)
app.command()(reputation.reputation)
app.command()(reputation.pause)
app.command()(reputation.resume)
app.command()(doctor)
app.command()(drill)

if __name__ == "__main__":
    app(prog_name="python -m ops")
