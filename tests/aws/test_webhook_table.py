"""The webhooks table as the pipeline reads it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from lambdas.aws import webhook_table
from lambdas.aws.items import to_item
from lambdas.aws.webhook_table import KEPT_FOR, Audience, RecentAudiences, WebhookTable, instance_key, webhook_key
from lambdas.domain.webhook import EventKind, NotificationFormat, Scope, Webhook, WebhookId
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
                "sealed": b"...",
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
                "sealed": b"x" * 300_000,
            }
        )
        dynamodb.put_item(TableName="webhooks", Item=key)
    audience = WebhookTable(dynamodb, "webhooks").audience("i1")
    assert audience is not None
    assert len(audience.webhooks) == 5


def test_an_audience_is_read_again_only_when_it_is_old(dynamodb: "DynamoDBClient") -> None:
    """A changed webhook is seen after KEPT_FOR at the latest."""
    put_instance(dynamodb, notifications=True)
    recent = RecentAudiences(WebhookTable(dynamodb, "webhooks"))
    before = recent.audience("i1", now=NOW)
    put_webhook(dynamodb)
    assert before == recent.audience("i1", now=NOW + KEPT_FOR - timedelta(milliseconds=1))
    after = recent.audience("i1", now=NOW + KEPT_FOR)
    assert after is not None
    assert after.webhooks == (WEBHOOK,)


def test_the_audiences_kept_are_bounded(dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch) -> None:
    """The one unused for longest goes first."""
    monkeypatch.setattr(webhook_table, "KEPT_AT_MOST", 1)
    recent = RecentAudiences(WebhookTable(dynamodb, "webhooks"))
    assert recent.audience("i1", now=NOW) is None
    assert recent.audience("i2", now=NOW) is None
    put_instance(dynamodb, notifications=True)
    assert recent.audience("i1", now=NOW) is not None
