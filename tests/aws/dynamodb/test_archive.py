"""Deliveries kept for replay."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from lambdas.aws.dynamodb.attribute_values import from_item, to_item
from lambdas.aws.dynamodb.backlog.archive import Archive
from lambdas.aws.dynamodb.backlog.backlog import SHARDS, Backlog, stamp
from lambdas.domain.webhooks.backlog import partition_key
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


def test_a_page_that_is_refused_ends_the_keeping_and_the_rest_is_counted(dynamodb: "DynamoDBClient") -> None:
    """Pages hold 25 items; the first was written, so only the others are missing."""
    pages: list[int] = []

    class Full:
        def batch_write_item(self, *, RequestItems: Any) -> Any:  # noqa: N803
            pages.append(len(RequestItems["backlog"]))
            if len(pages) > 1:
                raise ClientError({"Error": {"Code": "ProvisionedThroughputExceededException"}}, "BatchWriteItem")
            return dynamodb.batch_write_item(RequestItems=RequestItems)

    slept: list[float] = []
    archive = Archive(Full(), "backlog", sleep=slept.append)  # type: ignore[arg-type]
    assert archive.keep([batch(f"m{number}") for number in range(60)], now=NOW) == 35
    assert pages == [25, *[25] * 4]
    assert slept == [0.05, 0.1, 0.2, 0.4]
    assert len(list(Archive(dynamodb, "backlog").since("i1", WEBHOOK, NOW))) == 25


def test_what_was_left_unwritten_is_written_alone_and_at_once_when_there_is_room(dynamodb: "DynamoDBClient") -> None:
    """The rest that DynamoDB names, not the page again."""
    rounds: list[int] = []

    class Busy:
        def batch_write_item(self, *, RequestItems: Any) -> Any:  # noqa: N803
            requests = RequestItems["backlog"]
            rounds.append(len(requests))
            dynamodb.batch_write_item(RequestItems={"backlog": requests[:2]})
            return {"UnprocessedItems": {"backlog": requests[2:]} if requests[2:] else {}}

    slept: list[float] = []
    archive = Archive(Busy(), "backlog", sleep=slept.append)  # type: ignore[arg-type]
    assert archive.keep([batch(f"m{number}") for number in range(5)], now=NOW) == 0
    assert (rounds, slept) == ([5, 3, 1], [0.05, 0.1])


def test_a_partition_is_read_from_a_moment_to_before_another(dynamodb: "DynamoDBClient") -> None:
    """Each batch with its time; what cannot be read is passed over."""
    archive = Archive(dynamodb, "backlog")
    times = [NOW + timedelta(minutes=minute) for minute in range(4)]
    for at in times:
        archive.keep([batch("m")], now=at)
    (shard,) = [shard for shard in range(SHARDS) if next(_read(archive, shard, times[0], times[-1]), None)]
    broken = {"pk": partition_key("i1", WEBHOOK, shard), "sk": f"sent#{stamp(times[1])}#0", "payload": b"?"}
    dynamodb.put_item(TableName="backlog", Item=to_item(broken))
    assert list(_read(archive, shard, times[1], times[3])) == times[1:3]
    assert list(_read(archive, shard, times[3], times[3] + timedelta(minutes=1))) == times[3:]


def _read(archive: Archive, shard: int, since: datetime, until: datetime) -> Iterator[datetime]:
    return (at for at, _ in archive.between("i1", WEBHOOK, shard, since=since, until=until))


def test_steps_go_through_a_partition_without_gap_or_repetition(dynamodb: "DynamoDBClient") -> None:
    """An unreadable batch counts as one of the step; a step that is not full is the last."""
    archive = Archive(dynamodb, "backlog")
    for minute in range(5):
        archive.keep([batch("m")], now=NOW + timedelta(minutes=minute))
    keys = {item["pk"]["S"] for item in dynamodb.scan(TableName="backlog")["Items"]}
    (shard,) = [shard for shard in range(SHARDS) if partition_key("i1", WEBHOOK, shard) in keys]
    broken = {"pk": partition_key("i1", WEBHOOK, shard), "sk": f"sent#{stamp(NOW)}#", "payload": b"?"}
    dynamodb.put_item(TableName="backlog", Item=to_item(broken))
    sizes, after = [], ""
    for _ in range(4):
        until = NOW + timedelta(minutes=4)
        found, after = archive.step("i1", WEBHOOK, shard, since=NOW, until=until, after=after, limit=2)
        sizes.append((len(found), bool(after)))
        if not after:
            break
    assert sizes == [(1, True), (2, True), (1, False)]
