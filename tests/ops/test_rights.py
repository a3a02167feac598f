"""`ops rights`: what an operator's role needs, as a table and as a policy."""

import json

import pytest

from ops.deployment.rights import ADMINISTRATORS, document, written
from ops.deployment.stack import Stack
from tests.iam.mapping import known
from tests.iam.reference import findings
from tests.ops.typing_in import commands
from tests.ops.world import Ops

WITHOUT_AWS = {"completion"}
ACCOUNT = "arn:aws-us-gov:{}:us-gov-west-1:111122223333:"


def stack() -> Stack:
    """A stack in GovCloud."""
    return Stack(
        name="ses-feedback",
        region="us-gov-west-1",
        outputs={
            "EventTopicArn": ACCOUNT.format("sns") + "ses-feedback-Events-1",
            "OperatorTopicArn": ACCOUNT.format("sns") + "ses-feedback-Operator-1",
            "BrokerCredentialsSecretArn": ACCOUNT.format("secretsmanager") + "secret:Broker-AbCdEf",
            "KeyArn": ACCOUNT.format("kms") + "key/1234abcd-12ab-34cd-56ef-1234567890ab",
        },
        tables={"webhooks": "Webhooks-1", "broker": "Broker-1"},
        queues={"deliveries": "https://sqs.us-gov-west-1.amazonaws.com/111122223333/Deliveries-1"},
        functions={"broker": "Broker-1"},
    )


def test_every_command_is_listed_or_needs_an_administrator_or_no_aws() -> None:
    """A new command: run it in a test of tests/ops or tests/journey, which says what to list."""
    typed = {" ".join(words) for words in commands()}
    assert set(written()) == typed - WITHOUT_AWS - set(ADMINISTRATORS)


def test_every_listed_action_is_one_of_awss() -> None:
    """As the Service Authorization Reference has them."""
    assert [action for actions in written().values() for action in actions if not known(action)] == []


def test_the_policy_of_all_commands_is_one_that_aws_understands() -> None:
    """Actions on resources that they take; `*` only where an action takes no resource, or only tenants' ones."""
    policy = document(written(), stack())
    statements = [one for one in policy["Statement"] if one["Resource"] != ["*"]]
    assert list(findings({**policy, "Statement": statements})) == []
    assert {action for one in statements for action in one["Action"]} >= {"dynamodb:Scan", "kms:Decrypt"}


def test_a_policy_for_support_reads_the_stacks_tables_and_logs_and_writes_nothing(ops: Ops) -> None:
    """Typed as the guide says."""
    rows = ops.run("rights", "trace", "instances")
    assert {row["command"] for row in rows} == {"trace", "instances list", "instances show"}
    writing = ("Put", "Delete", "Update", "Create", "Send")
    assert not [row for row in rows if row["action"].partition(":")[2].startswith(writing)]


@pytest.mark.parametrize(("name", "said"), [("drill", "as an administrator"), ("nope", "there is no command nope")])
def test_what_is_no_command_for_a_role_is_said(ops: Ops, name: str, said: str) -> None:
    """With what to do."""
    assert said in ops.say("rights", name, status=1)


def test_the_policy_is_written_for_the_deployed_stack(monkeypatch: pytest.MonkeyPatch, ops: Ops) -> None:
    """As JSON, to be attached as it is."""
    monkeypatch.setattr("ops.deployment.rights.find", lambda _: stack())
    policy = json.loads(ops.say("rights", "webhooks list", "--policy"))
    [tables] = [one for one in policy["Statement"] if "dynamodb:Scan" in one["Action"]]
    assert ACCOUNT.format("dynamodb") + "table/Webhooks-1" in tables["Resource"]
