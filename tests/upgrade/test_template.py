"""A resource that holds data keeps its logical id: CloudFormation would replace it otherwise, and its data with it."""

import json
from typing import Any

from tests.infra.synthesis import synthesise
from tests.upgrade.reading import FOLDER

STATEFUL = (
    "AWS::ApiGatewayV2::Api",  # the broker's registered URL
    "AWS::DynamoDB::Table",
    "AWS::IAM::ManagedPolicy",  # the boundary of every binding's user
    "AWS::KMS::Key",
    "AWS::Logs::LogGroup",
    "AWS::SNS::Topic",
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
)
KEYS = {  # properties whose change replaces the resource
    "AWS::DynamoDB::Table": ("KeySchema", "TableName"),
    "AWS::SQS::Queue": ("FifoQueue", "QueueName"),
    "AWS::SNS::Topic": ("TopicName",),
    "AWS::IAM::ManagedPolicy": ("ManagedPolicyName", "Path"),
}


def stateful(template: dict[str, Any]) -> dict[str, Any]:
    """The resources that hold data, with the properties whose change would replace them."""
    return {
        name: {
            "type": resource["Type"],
            **{key: resource.get("Properties", {}).get(key) for key in KEYS.get(resource["Type"], ())},
        }
        for name, resource in template["Resources"].items()
        if resource["Type"] in STATEFUL
    }


def test_every_resource_with_data_of_the_release_is_still_there_and_is_not_replaced() -> None:
    """By its logical id."""
    before = stateful(json.loads((FOLDER / "template.json").read_text()))
    now = stateful(dict(synthesise("us-east-1", portal="links").template))
    assert {name: now.get(name) for name in before} == before
    assert len(before) > 20
