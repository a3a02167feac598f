"""A write that DynamoDB refuses for load or rights is raised: taken for a lost race, it would be forgotten."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from lambdas.aws.dynamodb.attribute_values import to_item
from lambdas.aws.dynamodb.rate_limiter import RateLimiter
from lambdas.aws.dynamodb.reputation.ledger import Ledger
from lambdas.aws.dynamodb.webhooks.webhook_items import WebhookItems
from lambdas.aws.dynamodb.webhooks.webhook_states import WebhookStates
from lambdas.aws.dynamodb.webhooks.webhook_table import instance_key, webhook_key
from lambdas.domain.tenants.instance import WebhookSettings
from lambdas.domain.webhooks.webhook import EventKind, NotificationFormat, Scope, WebhookId
from tests.aws.refusing import THROTTLED, WRITES, refusing
from tests.aws.tables import create, dynamodb_with

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

NOW = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)
KEY = ("i1", WebhookId("w1"))
SETTINGS = WebhookSettings(
    url="https://app.example.gov/",
    events=(EventKind.BOUNCE,),
    format=NotificationFormat.SNS,
    scope=Scope.INSTANCE,
    ciphertext=b"s",
)
UNTIL = NOW + timedelta(days=1)


@pytest.fixture(params=[THROTTLED, "AccessDeniedException"])
def throttled(request: pytest.FixtureRequest) -> Iterator["DynamoDBClient"]:
    """A DynamoDB with one webhook of two bindings, which takes no write any more."""
    with dynamodb_with("webhooks") as client:
        create(client, "rate_limiter", ("bucket",))
        item = {**webhook_key(*KEY), "url": "https://a.example", "format": "sns", "ciphertext": b"s", "version": 1}
        client.put_item(TableName="webhooks", Item=to_item({**item, "bindings": ["b1", "b2"], "senders": ["b1", "b2"]}))
        client.put_item(TableName="webhooks", Item=to_item({**instance_key("i1"), "notifications": True}))
        yield refusing(request.param, calls=WRITES)


def _change_health(client: "DynamoDBClient") -> None:
    states = WebhookStates(client, "webhooks")
    states.change(states.load([KEY], now=NOW)[KEY], lambda health: replace(health, failures=1))


def _note_test(client: "DynamoDBClient") -> None:
    states = WebhookStates(client, "webhooks")
    states.note_test(states.load([KEY], now=NOW)[KEY], status="204", now=NOW)


@pytest.mark.parametrize(
    "write",
    [
        lambda client: WebhookItems(client, "webhooks").join("i1", "w1", "b3"),
        lambda client: WebhookItems(client, "webhooks").leave("i1", "w1", "b1"),
        lambda client: WebhookItems(client, "webhooks").change("i1", "w1", SETTINGS, before=b"s"),
        lambda client: WebhookItems(client, "webhooks").put("i1", "w2", SETTINGS, binding_id="b1"),
        lambda client: WebhookItems(client, "webhooks").replace_secret(
            "i1", "w1", before=b"s", after=b"t", until=UNTIL, now=NOW
        ),
        lambda client: Ledger(client, "webhooks").add_deliveries("i1", {"2026-11-21T04": 1}),
        lambda client: RateLimiter(client, "rate_limiter").acquire(now=NOW),
        _change_health,
        _note_test,
    ],
)
def test_a_write_that_is_refused_for_another_reason_is_told(
    throttled: "DynamoDBClient", write: Callable[["DynamoDBClient"], object]
) -> None:
    """Whoever asked tries again, or fails and is tried again."""
    with pytest.raises(ClientError):
        write(throttled)


def test_the_last_binding_is_told_of_a_refused_removal_too(throttled: "DynamoDBClient") -> None:
    """Its webhook goes with it, by another call."""
    items = WebhookItems(throttled, "webhooks")
    with pytest.raises(ClientError):
        items._leave("i1", "w1", before=["b1", "b2"], left=[])
