"""The commands that the documentation shows, run as they stand there, on the embedded AWS."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.tenant.receiver import Receiver
from ops.deployment.osb import instance_name
from tests.docs.blocks import ROOT, Block, blocks
from tests.iam.operators import recording
from tests.journey.conftest import Ops, Stack, typed_here
from tests.journey.test_operators import environment, ops_secret
from tests.journey.test_operators import folder as folder

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journey")]
PAGES = sorted({block.page for block in blocks() if not block.marker})


@pytest.fixture
def shell(stack: Stack, folder: Path) -> Iterator[dict[str, str]]:
    """The environment of an operator who has set up as the README says; the broker's password is put back."""
    secrets, arn = stack.client("secretsmanager"), ops_secret(stack)
    before = secrets.get_secret_value(SecretId=arn)["SecretString"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    yield {**environment(stack), "PATH": path, "SES_FEEDBACK_FOLDER": str(folder)}
    secrets.put_secret_value(SecretId=arn, SecretString=before)


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_do_what_it_says(
    page: str, stack: Stack, ops: Ops, receiver: Receiver, shell: dict[str, str]
) -> None:
    """In order, with a tenant of the stack in place of the capitals; each ends with status 0."""
    tenant = stack.tenant(receiver.url())
    receiver.wait_for(kind="webhook.test")
    mail = tenant.mailbox.send("joe@shop.example")
    [delivered] = receiver.wait_for(kind="email.delivered")
    (row,) = ops("webhooks", "list", "--instance", tenant.instance_id)
    stack.eventually(
        lambda: ops("replay", "--binding", tenant.binding_id, "--since", "1h", "--dry-run"),
        lambda found: found["deliveries"] == 1,
    )
    values = {
        "INSTANCE": instance_name(tenant.instance_id),
        "BINDING": tenant.binding_id,
        "WEBHOOK": row["webhook"],
        "WEBHOOK_ID": delivered.id,
        "MESSAGE_ID": mail,
        "RECIPIENT": "joe@shop.example",
    }
    for block in (block for block in blocks() if block.page == page and not block.marker):
        for command in block.commands:
            typed = filled(command, values, tenant.instance_id)
            if is_plain(typed):
                done = typed_here(stack, shlex.split(typed, comments=True)[3:])
                assert done.exit_code in allowed(typed), f"{block}: {typed}\n{done.output}"
            else:
                run(block, typed, {**shell, **recorded_by(stack, typed)})


def is_plain(command: str) -> bool:
    """Whether a command is an operator's, and needs no shell."""
    return command.startswith("python -m ops ") and not set(command.partition("#")[0]) & set("|&;<>$`")


def allowed(command: str) -> tuple[int, ...]:
    """Its exit statuses. The doctor's 1: it found a problem, such as a zone without delegation."""
    return (0, 1) if "ops doctor" in command else (0,)


def recorded_by(stack: Stack, command: str) -> dict[str, str]:
    """What an operators' command needs in its environment to record its calls."""
    words = shlex.split(command.partition("-m ops ")[2].partition("|")[0], comments=True)
    return recording(stack.facts.get("calls", ""), words) if words else {}


def filled(command: str, values: dict[str, str], instance_id: str) -> str:
    """A command with values in place of the words in capitals. `local` knows instances by their ids only."""
    known = {**values, "INSTANCE": instance_id} if "-m local" in command else values
    return re.sub(r"\b[A-Z][A-Z_]+\b", lambda found: known.get(found[0], found[0]), command)


def run(block: Block, command: str, shell: dict[str, str]) -> None:
    """Run a command in bash. What `make up` and `make down` do, the fixtures did and will do."""
    if command in ("make up", "make down"):
        return
    if command == "make status":
        command = "python -m local status"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, env=shell, check=False, timeout=120
    )
    assert done.returncode in allowed(command), f"{block}: {command}\n{done.stdout}{done.stderr}"
