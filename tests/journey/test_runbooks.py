"""Every command of the runbooks, on the embedded AWS, with a tenant in place of the words in capitals."""

import re
import shlex
from collections.abc import Iterator

import pytest

from local.tenant.receiver import Receiver
from tests.infra.test_runbooks import PAGES, commands
from tests.journey.conftest import Ops, Stack, typed_here
from tests.journey.test_operators import ops_secret

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journey")]
FINDS_PROBLEMS = (
    "doctor",  # status 1: here nobody subscribed to the alarms, and no zone is delegated
    "destroy-check",  # status 1: a tenant is there
)


@pytest.fixture
def password(stack: Stack) -> Iterator[None]:
    """The broker's password is put back: a runbook replaces it."""
    secrets, arn = stack.client("secretsmanager"), ops_secret(stack)
    before = secrets.get_secret_value(SecretId=arn)["SecretString"]
    yield
    secrets.put_secret_value(SecretId=arn, SecretString=before)


def in_order() -> list[tuple[str, ...]]:
    """Each command once, as it stands; what pauses comes before what resumes."""
    found = {tuple(words): None for page in PAGES for words in commands(page)}
    return sorted(found, key=lambda words: (words[0] == "resume", words[0] == "pause"))


@pytest.fixture
def recoverable(stack: Stack) -> None:
    """Tables with point-in-time recovery, as the template says: the embedded CloudFormation leaves it off."""
    for table in stack.facts["tables"].values():
        stack.client("dynamodb").update_continuous_backups(
            TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )


@pytest.mark.usefixtures("password", "recoverable")
def test_every_command_of_the_runbooks_works(stack: Stack, ops: Ops, receiver: Receiver) -> None:
    """A command that pauses again, what is paused already, is told so."""
    tenant = stack.tenant(receiver.url())
    receiver.wait_for(kind="webhook.test")
    (row,) = ops("webhooks", "list", "--instance", tenant.instance_id)
    names = {"INSTANCE": tenant.instance_id, "BINDING": tenant.binding_id, "WEBHOOK": row["webhook"]}
    failed = {}
    paused = False
    for words in in_order():
        if words[0] == "pause" and paused:
            continue
        paused = paused or words[0] == "pause"
        typed = [re.sub(r"^[A-Z]+$", lambda found: names[found[0]], word) for word in words]
        done = typed_here(stack, typed)
        if done.exit_code not in ((0, 1) if words[0] in FINDS_PROBLEMS else (0,)):
            failed[shlex.join(words)] = done.output
    assert failed == {}
