"""`python -m ops`: what an operator does. `--help` tells of each command, `--json` makes each one machine-readable."""

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Operate a ses-feedback stack.")

if __name__ == "__main__":
    app()
