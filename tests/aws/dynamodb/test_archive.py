"""Deliveries kept for replay."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lambdas.aws.dynamodb.attribute_values import from_item
from lambdas.aws.dynamodb.backlog.archive import Archive
from lambdas.aws.dynamodb.backlog.backlog import Backlog
from lambdas.domain.webhooks.webhook import WebhookId
from tests.aws.dynamodb.test_backlog import batch
from tests.aws.tables import create_backlog, dynamodb_with

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
WEBHOOK = WebhookId("w1")


@pytest.fixture
def dynamodb() -> Iterator["DynamoDBClient"]:
    """A DynamoDB with a backlog table."""
    with dynamodb_with() as client:
        create_backlog(client, "backlog")
        yield client


def test_what_was_delivered_since_a_time_is_found_whole(dynamodb: "DynamoDBClient") -> None:
    """Of that webhook, from all shards."""
    archive = Archive(dynamodb, "backlog")
    archive.keep([batch("old")], now=NOW - timedelta(hours=1))
    archive.keep([batch(f"m{number}") for number in range(30)], now=NOW)
    archive.keep([batch("other", webhook=WebhookId("w2"))], now=NOW)

    found = [one.id for each in archive.since("i1", WEBHOOK, NOW) for one in each.deliveries]

    assert sorted(found) == sorted(f"m{number}" for number in range(30))
    assert next(archive.since("i1", WEBHOOK, NOW)).deliveries[0].headers


def test_what_is_kept_for_replay_never_goes_out_by_itself(dynamodb: "DynamoDBClient") -> None:
    """It lies beside what is parked, unmarked, and expires after 14 days."""
    Archive(dynamodb, "backlog").keep([batch("a")], now=NOW)
    backlog = Backlog(dynamodb, "backlog")

    assert list(backlog.due(now=NOW + timedelta(days=30))) == []
    (item,) = [from_item(item) for item in dynamodb.scan(TableName="backlog")["Items"]]
    assert item["expires_at"] == int((NOW + timedelta(days=14)).timestamp())


def test_what_dynamodb_leaves_unwritten_is_written_again_and_told_if_it_never_is(
    dynamodb: "DynamoDBClient",
) -> None:
    """Bounded: the deliveries are made."""
    calls: list[Any] = []

    class Throttled:
        def batch_write_item(self, *, RequestItems: Any) -> Any:  # noqa: N803
            calls.append(RequestItems)
            return {"UnprocessedItems": RequestItems}

    lost = Archive(Throttled(), "backlog", sleep=lambda _: None).keep([batch("a")], now=NOW)  # type: ignore[arg-type]

    assert (lost, len(calls)) == (1, 4)
