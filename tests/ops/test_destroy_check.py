"""What a destroy would leave behind, on moto: a small stack, and what the broker makes for tenants beside it."""

import json
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

from lambdas.domain.tenants import aws_names
from ops.__main__ import app
from ops.doctor.account import Account
from tests.ops.world import Ops

TEMPLATE = {
    "Resources": {
        "Kept": {
            "Type": "AWS::Logs::LogGroup",
            "DeletionPolicy": "RetainExceptOnCreate",
            "Properties": {"LogGroupName": "kept"},
        },
        "Gone": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "gone"}},
        "Boundary": {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [{"Effect": "Allow", "Action": "ses:SendEmail", "Resource": "*"}],
                }
            },
        },
    }
}


def client(service: str) -> Any:
    """A client in moto."""
    found: Any = boto3.client(service, region_name="us-east-1")  # type: ignore[call-overload]
    return found


@pytest.fixture
def stack(ops: Ops, monkeypatch: pytest.MonkeyPatch) -> Ops:
    """The template deployed, and no instance."""
    monkeypatch.setattr(Account, "environment", {})
    client("cloudformation").create_stack(StackName="ses-feedback", TemplateBody=json.dumps(TEMPLATE))
    for item in ops.dynamodb.scan(TableName="broker")["Items"]:
        ops.dynamodb.delete_item(TableName="broker", Key={name: item[name] for name in ("pk", "sk")})
    return ops


def check() -> dict[str, dict[str, Any]]:
    """What the command says, by what; its status is 1."""
    return {row["what"]: row for row in json.loads(_output("destroy-check", "--json"))}


def _output(*words: str) -> str:
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 1, done.output
    return done.stdout


def test_retained_resources_of_the_stack_stay(stack: Ops) -> None:
    """By type, with their names; what CloudFormation deletes is not listed."""
    rows = check()
    assert set(rows) == {"retained log groups"}
    assert rows["retained log groups"]["names"] == ["kept"]
    assert rows["retained log groups"]["effect"] == "stays"


def test_what_the_broker_made_stays_recorded_or_not(stack: Ops) -> None:
    """Users, sets, topics, identities and the instances themselves; nothing of anybody else's."""
    stack.put_instance("i1", name="my-mail", domain="mail.agency.gov")
    iam, ses, sns = client("iam"), client("sesv2"), client("sns")
    iam.create_user(UserName=aws_names.iam_user("b1"), Path=aws_names.IAM_PATH)
    iam.create_user(UserName="somebody", Path=aws_names.IAM_PATH)
    ses.create_configuration_set(ConfigurationSetName=aws_names.configuration_set("i1"))
    ses.create_configuration_set(ConfigurationSetName="another")
    sns.create_topic(Name=aws_names.alert_topic("i1"))
    sns.create_topic(Name=aws_names.notification_topic("b1"))
    sns.create_topic(Name="another")
    rows = check()
    assert rows["service instances"]["names"] == ["i1"]
    assert rows["IAM users"]["names"] == [aws_names.iam_user("b1")]
    assert rows["configuration sets"]["names"] == [aws_names.configuration_set("i1")]
    assert rows["SNS topics"]["count"] == 2
    assert "cf delete-service" in _output("destroy-check")


def test_a_protected_stack_blocks_the_destroy(stack: Ops) -> None:
    """Termination protection. A boundary in use blocks it as well: moto knows none, tests/journey shows it."""
    cloudformation = client("cloudformation")
    cloudformation.delete_stack(StackName="ses-feedback")
    cloudformation.create_stack(
        StackName="ses-feedback", TemplateBody=json.dumps(TEMPLATE), EnableTerminationProtection=True
    )
    assert check()["protected stack"]["effect"] == "blocks"


def test_with_nothing_left_behind_the_status_is_0(stack: Ops) -> None:
    """`production` false, and no tenant."""
    template = {"Resources": {"Gone": TEMPLATE["Resources"]["Gone"]}}
    client("cloudformation").update_stack(StackName="ses-feedback", TemplateBody=json.dumps(template))
    assert stack.run("destroy-check") == []
    assert stack.say("destroy-check").startswith("Nothing would be left behind")
