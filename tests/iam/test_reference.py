"""Every statement that we write, as AWS's reference of actions, resources and condition keys has it."""

from typing import Any

import pytest

from lambdas.domain.tenants.iam_user import sending_policy
from tests.iam.reference import findings
from tests.iam.test_roles import VARIANTS, world

pytestmark = pytest.mark.xdist_group("infra")

SES = "arn:aws:ses:us-east-1:111122223333"


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_statement_of_every_role_is_as_aws_knows_it(variant: str) -> None:
    """The action exists, takes each of its resources, and knows each of its condition keys."""
    found = [f"{name}: {finding}" for name, policy in world(variant).policies.items() for finding in findings(policy)]
    assert found == []


def test_the_boundary_and_a_binding_s_policy_are_as_aws_knows_them() -> None:
    """They are what tenants' mail depends on."""
    deployed = world("standard")
    [boundary] = deployed.synthesis.properties("AWS::IAM::ManagedPolicy")
    assert list(findings(deployed.resolve(boundary["PolicyDocument"]))) == []
    resources = [f"{SES}:identity/shop.example", f"{SES}:configuration-set/ses-feedback-1"]
    assert list(findings(sending_policy(resources, ["198.51.100.0/24"], domain="shop.example"))) == []


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        ({"Action": "sns:Unsubscribe", "Resource": "arn:aws:sns:us-east-1:111122223333:x"}, "takes no arn"),
        ({"Action": "sns:Publish", "Resource": "*"}, "takes no *"),
        ({"Action": "sqs:SendMessageBatch", "Resource": "arn:aws:sqs:us-east-1:111122223333:x"}, "is no action"),
        ({"Action": "sqs:sendmessage", "Resource": "arn:aws:sqs:us-east-1:111122223333:x"}, "is no action"),
        (
            {
                "Action": "sqs:SendMessage",
                "Resource": "arn:aws:sqs:us-east-1:111122223333:x",
                "Condition": {"StringEquals": {"kms:ViaService": "x"}},
            },
            "knows no kms:ViaService",
        ),
        ({"Action": "dynamodb:PutItem", "Resource": "arn:aws:dynamodb:us-east-1:1:table/x/index/y"}, "takes no arn"),
    ],
)
def test_what_aws_would_not_understand_is_found(statement: dict[str, Any], finding: str) -> None:
    """Each of these was once in a role, or could have been."""
    [found] = findings({"Statement": [{"Effect": "Allow", **statement}]})
    assert finding in found
