"""All instances, in slices: none twice, none left out, none that is deleted."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from lambdas.aws.dynamodb.attribute_values import to_item
from lambdas.aws.dynamodb.webhooks.instance_list import InstanceList
from lambdas.aws.dynamodb.webhooks.webhook_table import instance_key, webhook_key
from lambdas.domain.webhooks.webhook import WebhookId
from tests.aws.tables import dynamodb_with

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

IDS = [f"i{number}" for number in range(40)]


@pytest.fixture
def dynamodb() -> Iterator["DynamoDBClient"]:
    """Forty instances with a webhook each, every other with notifications, and one that is deleted."""
    with dynamodb_with("webhooks") as client:
        for number, id_ in enumerate(IDS):
            for item in (
                instance_key(id_) | {"notifications": number % 2 == 0},
                webhook_key(id_, WebhookId("w")) | {"notifications": False},
            ):
                client.put_item(TableName="webhooks", Item=to_item(item))
        deleted = instance_key("gone") | {"notifications": True, "deleted_at": "2026-11-21T04:00:00+00:00"}
        client.put_item(TableName="webhooks", Item=to_item(deleted))
        yield client


def test_all_slices_together_hold_each_instance_once(dynamodb: "DynamoDBClient") -> None:
    """Without deleted ones; webhooks of the same table are none."""
    instances = InstanceList(dynamodb, "webhooks")
    slices = [list(instances.part(number, of=4)) for number in range(4)]
    assert sorted(id_ for part in slices for id_ in part) == sorted(IDS)
    assert max(map(len, slices)) < len(IDS)


def test_notifications_of_all_are_told_apart(dynamodb: "DynamoDBClient") -> None:
    """Deleted ones are shown until their item expires."""
    expected = {id_: number % 2 == 0 for number, id_ in enumerate(IDS)}
    assert InstanceList(dynamodb, "webhooks").notifications() == expected | {"gone": True}


def test_notifications_of_one_are_its_own(dynamodb: "DynamoDBClient") -> None:
    """An unknown one has none."""
    instances = InstanceList(dynamodb, "webhooks")
    assert instances.notifications("i0") == {"i0": True}
    assert instances.notifications("i1") == {"i1": False}
    assert instances.notifications("unknown") == {}
