"""Operators find a mail in what is kept: waiting or delivered, of one webhook or of all."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from lambdas.aws.dynamodb.attribute_values import to_item
from lambdas.aws.dynamodb.backlog.archive import Archive
from lambdas.aws.dynamodb.backlog.backlog import SHARDS, Backlog
from lambdas.aws.dynamodb.backlog.kept_deliveries import KeptDeliveries, KeptDelivery
from lambdas.domain.webhooks.backlog import partition_key
from lambdas.domain.webhooks.webhook import WebhookId
from tests.aws.dynamodb.test_backlog import batch
from tests.aws.tables import create_backlog, dynamodb_with

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
WEBHOOK, ANOTHER = WebhookId("w1"), WebhookId("w2")


@pytest.fixture
def dynamodb() -> Iterator["DynamoDBClient"]:
    """A backlog: deliveries of two webhooks, delivered and waiting, old and new, and an item that cannot be read."""
    with dynamodb_with() as client:
        create_backlog(client, "backlog")
        archive, backlog = (
            Archive(client, "backlog"),
            Backlog(client, "backlog", side_by_side=1),
        )  # moto is for one thread
        archive.keep([batch("old")], now=NOW - HOUR)
        archive.keep([batch(f"sent{number}", attempt=2) for number in range(12)], now=NOW)
        archive.keep([batch("others", webhook=ANOTHER)], now=NOW)
        backlog.park([(batch(f"waits{number}", attempt=3), NOW + HOUR) for number in range(12)], now=NOW)
        for shard in range(SHARDS):
            broken = {
                "pk": partition_key("i1", WEBHOOK, shard),
                "sk": "sent#2026-11-21T05:00:00+00:00#0",
                "payload": b"?",
            }
            client.put_item(TableName="backlog", Item=to_item(broken))
        yield client


def ids(found: Iterable[KeptDelivery]) -> list[str]:
    return sorted(one.delivery.id for one in found)


def test_of_a_webhook_all_that_waits_is_found_and_what_was_delivered_since(dynamodb: "DynamoDBClient") -> None:
    """In all its partitions; what cannot be read is passed over."""
    found = list(KeptDeliveries(dynamodb, "backlog").of_webhook("i1", WEBHOOK, since=NOW))
    assert ids(found) == sorted(f"{kind}{number}" for kind in ("sent", "waits") for number in range(12))
    assert {(one.instance_id, one.webhook_id) for one in found} == {("i1", WEBHOOK)}


def test_a_kept_delivery_says_when_it_was_delivered_or_is_tried_next(dynamodb: "DynamoDBClient") -> None:
    """And which attempt that is."""
    found = {one.delivery.id: one for one in KeptDeliveries(dynamodb, "backlog").of_webhook("i1", WEBHOOK, since=NOW)}
    sent, waits = found["sent0"], found["waits0"]
    assert (sent.delivered, sent.at, sent.attempt) == (True, NOW, 2)
    assert (waits.delivered, waits.at, waits.attempt) == (False, NOW + HOUR, 3)


def test_everywhere_is_every_webhook_since_the_same_moment(dynamodb: "DynamoDBClient") -> None:
    """Each delivery once, although the table is read in segments."""
    kept = KeptDeliveries(dynamodb, "backlog")
    everything = ids(kept.everywhere(since=NOW))
    assert everything == sorted([*ids(kept.of_webhook("i1", WEBHOOK, since=NOW)), "others"])
    assert ids(kept.everywhere(since=NOW - HOUR)) == sorted([*everything, "old"])


def test_a_delivery_of_exactly_that_moment_belongs_to_it(dynamodb: "DynamoDBClient") -> None:
    """A microsecond later it does not."""
    kept = KeptDeliveries(dynamodb, "backlog")
    later = NOW + timedelta(microseconds=1)
    assert not [one for one in kept.of_webhook("i1", WEBHOOK, since=later) if one.delivered]
    assert not [one for one in kept.everywhere(since=later) if one.delivered]
