"""The broker as a platform registers it: its URL and its credentials, which rotate without an outage."""

import json
import secrets
from typing import TYPE_CHECKING, Annotated

import typer

from lambdas.aws.clients import client
from ops.console import STACK, Json, StackName, say, show_one, told
from ops.stack import Stack, find

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient

PASSWORD_BYTES = 36  # 48 characters of URL-safe base64: nothing a shell or a URL would read otherwise

app = typer.Typer(no_args_is_help=True, help="The broker's URL and credentials: show, rotate, retire.")

Reveal = Annotated[bool, typer.Option("--password", help="Show the password too.")]


@app.command("show")
def show_broker(reveal: Reveal = False, stack: StackName = STACK, as_json: Json = False) -> None:
    """Show what `cf create-service-broker` wants."""
    with told():
        where = find(stack)
        secret = _read(where)
    row = {"url": where.outputs["BrokerUrl"], "username": secret["username"]}
    if reveal:
        row |= {"password": secret["password"]}
    show_one(row | {"rotating": "previous_password" in secret}, as_json=as_json)


@app.command()
def rotate(stack: StackName = STACK, as_json: Json = False) -> None:
    """Make a new password. The one before it stays good until `retire`, so that the platform can be told in between."""
    with told():
        where = find(stack)
        secret = _read(where)
        current = {
            "username": secret["username"],
            "password": secrets.token_urlsafe(PASSWORD_BYTES),
            "previous_password": secret["password"],
        }
        _write(where, current)
    say(
        "New password made; both are taken. Give it to the platform (`python -m ops broker show --password`, then\n"
        "`cf update-service-broker`), and end the old one with `python -m ops broker retire`.",
        {"rotating": True},
        as_json=as_json,
    )


@app.command()
def retire(stack: StackName = STACK, as_json: Json = False) -> None:
    """End the previous password. Broker functions that know it forget it within five minutes."""
    with told():
        where = find(stack)
        secret = _read(where)
        _write(where, {"username": secret["username"], "password": secret["password"]})
    say("Only the new password is taken, in five minutes at the latest.", {"rotating": False}, as_json=as_json)


def _client() -> "SecretsManagerClient":
    return client("secretsmanager")


def _read(stack: Stack) -> dict[str, str]:
    answer = _client().get_secret_value(SecretId=stack.outputs["BrokerCredentialsSecretArn"])
    found: dict[str, str] = json.loads(answer["SecretString"])
    return found


def _write(stack: Stack, secret: dict[str, str]) -> None:
    _client().put_secret_value(SecretId=stack.outputs["BrokerCredentialsSecretArn"], SecretString=json.dumps(secret))
