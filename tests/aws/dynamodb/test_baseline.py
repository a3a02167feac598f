"""Baselines in the webhooks table."""

from datetime import UTC, datetime

from lambdas.aws.dynamodb.attribute_values import to_item
from lambdas.aws.dynamodb.webhooks.baseline import Baselines
from lambdas.aws.dynamodb.webhooks.webhook_table import WebhookTable, instance_key
from tests.aws.tables import dynamodb_with

NOW = datetime(2026, 11, 21, 5, 30, tzinfo=UTC)


def test_a_baseline_is_read_with_the_audience() -> None:
    """Where the feedback function looks."""
    with dynamodb_with("webhooks") as dynamodb:
        dynamodb.put_item(TableName="webhooks", Item=to_item({**instance_key("i1"), "notifications": True}))
        assert Baselines(dynamodb, "webhooks").set("i1", NOW)
        audience = WebhookTable(dynamodb, "webhooks").audience("i1")
        assert audience is not None
        assert audience.baseline == NOW


def test_an_instance_that_is_gone_is_not_brought_back() -> None:
    """By half an item."""
    with dynamodb_with("webhooks") as dynamodb:
        assert not Baselines(dynamodb, "webhooks").set("i1", NOW)
        assert WebhookTable(dynamodb, "webhooks").audience("i1") is None
