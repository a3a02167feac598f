"""The broker as a platform registers it: its URL and its credentials, which rotate without an outage."""

import json
import secrets
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import httpx
import typer
from botocore.exceptions import ClientError

from lambdas.aws.clients import client
from lambdas.aws.secrets_manager.broker_credentials import KEPT_FOR
from ops.command_line.console import STACK, Json, StackName, clear_errors, examples, fail, say, show_one
from ops.deployment.stack import Stack, find

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient

PASSWORD_BYTES = 36  # 48 characters of URL-safe base64: nothing a shell or a URL would read otherwise
PATIENCE = KEPT_FOR.total_seconds() + 15  # s until a changed password must be known to the broker that answers us
_POLL = 1.0  # s between questions to the broker
_TIMEOUT = 30.0  # s for an answer: the API ends a call at 30 s
_API_VERSION = "2.17"
_STEPS = (
    "Give it to the platform:\n"
    "  python -m ops broker show --password\n"
    "  cf update-service-broker ses-feedback USERNAME PASSWORD URL"
)

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="The broker's URL and credentials: show, rotate, retire."
)

Reveal = Annotated[bool, typer.Option("--password", help="Show the password too.")]
AtOnce = Annotated[
    bool, typer.Option("--now", help="End the old password at once, for one that leaked: the platform is locked out.")
]


@app.command("show", epilog=examples("broker show --password", "broker show --json"))
def show_broker(reveal: Reveal = False, stack: StackName = STACK, as_json: Json = False) -> None:
    """Show what `cf create-service-broker` needs, and whether a rotation is under way."""
    with clear_errors():
        where = find(stack)
        secret = _read(where).values
    row = {"url": where.broker_url, "username": secret["username"]}
    if reveal:
        row |= {"password": secret["password"]}
    show_one(row | {"rotating": "previous_password" in secret}, as_json=as_json)


@app.command(epilog=examples("broker rotate", "broker rotate --now"))
def rotate(at_once: AtOnce = False, stack: StackName = STACK, as_json: Json = False) -> None:
    """Make a new password. The old one stays valid until `broker retire`, so that the platform can be updated.

    A second rotation before `retire` is refused: it would end the password that the platform may still use. With --now
    the new password replaces all others at once, and the platform gets 401 until it is updated.
    """
    with clear_errors():
        where = find(stack)
        read = _read(where)
        secret = read.values
        if "previous_password" in secret and not at_once:
            fail(
                "a rotation is under way: the previous password is still valid, and the platform may still use it. "
                "Update the platform and run `broker retire` first; or replace a leaked password by `broker rotate "
                "--now`"
            )
        made = {"username": secret["username"], "password": secrets.token_urlsafe(PASSWORD_BYTES)}
        _write(where, made if at_once else made | {"previous_password": secret["password"]}, after=read)
        unasked = _check(where, secret["username"], {made["password"]: True, secret["password"]: not at_once})
    text = (
        f"The new password is the only valid one. The platform cannot reach the broker until it is updated. {_STEPS}"
        if at_once
        else f"The broker accepts the new password and the old one. {_STEPS}\n"
        "Then end the old one:\n  python -m ops broker retire"
    )
    say(text + unasked, {"rotating": not at_once, "checked": not unasked}, as_json=as_json)


@app.command(epilog=examples("broker retire"))
def retire(stack: StackName = STACK, as_json: Json = False) -> None:
    """End the previous password, once the platform uses the new one."""
    with clear_errors():
        where = find(stack)
        read = _read(where)
        secret = read.values
        previous, unasked = secret.get("previous_password"), ""
        if previous is not None:
            _write(where, {"username": secret["username"], "password": secret["password"]}, after=read)
            unasked = _check(where, secret["username"], {secret["password"]: True, previous: False})
    text = "The broker accepts the new password only." if previous else "There is no previous password: nothing to do."
    say(text + unasked, {"rotating": False, "retired": previous is not None}, as_json=as_json)


class _Unreachable(Exception):
    """The broker cannot be asked from this machine; the message says why."""


def _check(where: Stack, username: str, expected: dict[str, bool]) -> str:
    """Ask the broker until it accepts and rejects the passwords as *expected*; ends the command if it does not.

    Returns a sentence if the broker cannot be asked from here, else nothing. A process of the broker forgets an ended
    password after KEPT_FOR.
    """
    deadline = time.monotonic() + PATIENCE
    try:
        while wrong := [one for one, wanted in expected.items() if _accepts(where, username, one) is not wanted]:
            if time.monotonic() >= deadline:
                break
            time.sleep(_POLL)
    except _Unreachable as unreachable:
        return (
            f"\nThe secret is written, but {where.broker_url} could not be asked from here to confirm it: "
            f"{unreachable}. Every process of the broker has read it in {KEPT_FOR.total_seconds():.0f} s."
        )
    if wrong:
        states = "rejects a password that must be valid" if expected[wrong[0]] else "still accepts the ended password"
        fail(
            f"the secret is written, but the broker at {where.broker_url} {states} after {PATIENCE:.0f} s. "
            "`python -m ops errors broker` shows its errors"
        )
    return ""


def _accepts(where: Stack, username: str, password: str) -> bool:
    """Whether the broker answers its catalog to these credentials. Raises _Unreachable.

    403 is API Gateway's: only the platform's networks may call (`broker_allowed_cidrs`).
    """
    try:
        answer = httpx.get(
            f"{where.broker_url}/v2/catalog",
            auth=(username, password),
            headers={"X-Broker-API-Version": _API_VERSION},
            timeout=_TIMEOUT,
        )
    except httpx.HTTPError as error:
        raise _Unreachable(str(error)) from error
    if answer.status_code == httpx.codes.FORBIDDEN:
        raise _Unreachable("403, this machine's network may not call it")
    return answer.status_code == httpx.codes.OK


def _client() -> "SecretsManagerClient":
    return client("secretsmanager")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """The secret's content as it was read. `next_version` is the id that the version after this one gets."""

    values: dict[str, str] = field(repr=False)
    next_version: str


def _read(stack: Stack) -> _Read:
    """The current content, and the next version's id, which follows from the current one's and the one's before it.

    So every command that read the same content writes under the same id, and Secrets Manager takes one of them. The
    one before counts too: after somebody moved AWSCURRENT back by hand, the id of the abandoned version is not reused.
    """
    arn = stack.outputs["BrokerCredentialsSecretArn"]
    stages = _client().describe_secret(SecretId=arn)["VersionIdsToStages"]
    at = {stage: version for version, names in stages.items() for stage in names}
    found: dict[str, str] = json.loads(
        _client().get_secret_value(SecretId=arn, VersionId=at["AWSCURRENT"])["SecretString"]
    )
    return _Read(
        values={name: value for name, value in found.items() if value is not None},
        next_version=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{at['AWSCURRENT']} {at.get('AWSPREVIOUS', '')}")),
    )


def _write(stack: Stack, secret: dict[str, str], *, after: _Read) -> None:
    """Write *secret* if nobody wrote since *after* was read; ends the command otherwise.

    PutSecretValue refuses a ClientRequestToken that names a version with another content (ResourceExistsException).
    """
    arn = stack.outputs["BrokerCredentialsSecretArn"]
    try:
        _client().put_secret_value(SecretId=arn, ClientRequestToken=after.next_version, SecretString=json.dumps(secret))
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceExistsException":
            raise
        fail(
            "somebody else changed the credentials at the same moment, and nothing was written by this command. "
            "`python -m ops broker show` shows whether a rotation is under way"
        )
