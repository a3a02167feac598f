"""The webhooks table as the pipeline reads it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from lambdas.aws.dynamodb.attribute_values import to_item
from lambdas.aws.dynamodb.webhooks.webhook_table import WebhookTable, instance_key, webhook_key
from lambdas.domain.webhooks.audience import Audience
from lambdas.domain.webhooks.webhook import EventKind, NotificationFormat, Scope, Webhook, WebhookId
from tests.aws.tables import dynamodb_with

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

NOW = datetime(2026, 11, 21, 4, tzinfo=UTC)
WEBHOOK = Webhook(
    id=WebhookId("w1"),
    instance_id="i1",
    events=frozenset({EventKind.BOUNCE}),
    format=NotificationFormat.SNS,
    scope=Scope.BINDING,
    senders=frozenset({"b1"}),
)


@pytest.fixture
def dynamodb() -> Iterator["DynamoDBClient"]:
    """A DynamoDB that answers in memory, with an empty webhooks table."""
    with dynamodb_with("webhooks") as client:
        yield client


def put_instance(client: "DynamoDBClient", **attributes: object) -> None:
    """Write the instance's own item."""
    client.put_item(TableName="webhooks", Item=to_item({**instance_key("i1"), **attributes}))


def put_webhook(client: "DynamoDBClient", webhook: Webhook = WEBHOOK) -> None:
    """Write a webhook as the broker does."""
    client.put_item(
        TableName="webhooks",
        Item=to_item(
            {
                **webhook_key(webhook.instance_id, webhook.id),
                "url": "https://app.example/hook",
                "ciphertext": b"...",
                "events": sorted(webhook.events),
                "format": webhook.format,
                "scope": webhook.scope,
                "senders": sorted(webhook.senders),
                "bindings": sorted(webhook.senders),
            }
        ),
    )


def test_an_audience_is_read_whole(dynamodb: "DynamoDBClient") -> None:
    """With its baseline, which decides what still counts."""
    put_instance(dynamodb, notifications=True, baseline=NOW.isoformat())
    put_webhook(dynamodb)
    expected = Audience(instance_id="i1", webhooks=(WEBHOOK,), baseline=NOW)
    assert expected == WebhookTable(dynamodb, "webhooks").audience("i1")


def test_nobody_is_told_while_notifications_are_off(dynamodb: "DynamoDBClient") -> None:
    """The instance is still there: its feedback counts."""
    put_instance(dynamodb, notifications=False)
    put_webhook(dynamodb)
    expected = Audience(instance_id="i1", webhooks=(), baseline=None)
    assert expected == WebhookTable(dynamodb, "webhooks").audience("i1")


def test_an_instance_that_is_gone_has_no_audience(dynamodb: "DynamoDBClient") -> None:
    """Even when one of its webhooks was left behind."""
    put_webhook(dynamodb)
    assert WebhookTable(dynamodb, "webhooks").audience("i1") is None


def test_more_webhooks_than_a_page_are_all_read(dynamodb: "DynamoDBClient") -> None:
    """A page holds 1 MB."""
    put_instance(dynamodb, notifications=True)
    for number in range(5):
        key = to_item(
            {
                **webhook_key("i1", WebhookId(str(number))),
                "events": ["bounce"],
                "format": "sns",
                "scope": "instance",
                "senders": ["b"],
                "ciphertext": b"x" * 300_000,
            }
        )
        dynamodb.put_item(TableName="webhooks", Item=key)
    audience = WebhookTable(dynamodb, "webhooks").audience("i1")
    assert audience is not None
    assert len(audience.webhooks) == 5


def test_a_webhook_is_in_the_audience_from_the_moment_it_is_bound(dynamodb: "DynamoDBClient") -> None:
    """An event a moment after the bind is not lost to it, however recently the audience was read."""
    put_instance(dynamodb, notifications=True)
    table = WebhookTable(dynamodb, "webhooks")
    assert table.audience("i1") == Audience(instance_id="i1", webhooks=(), baseline=None)
    put_webhook(dynamodb)
    assert table.audience("i1") == Audience(instance_id="i1", webhooks=(WEBHOOK,), baseline=None)
