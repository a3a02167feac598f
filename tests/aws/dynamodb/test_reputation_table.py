"""What the ledger wrote, read back."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from lambdas.aws.dynamodb.attribute_values import to_item
from lambdas.aws.dynamodb.reputation.ledger import Ledger
from lambdas.aws.dynamodb.reputation.reputation_table import ReputationTable
from lambdas.aws.dynamodb.webhooks.instance_list import InstanceList
from lambdas.domain.reputation.evaluation import HourCounts
from lambdas.domain.reputation.ledger import LedgerEntry, LedgerKind
from tests.aws.tables import dynamodb_with

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

HAPPENED = datetime(2026, 11, 21, 4, 0, 5, tzinfo=UTC)


@pytest.fixture
def dynamodb() -> Iterator["DynamoDBClient"]:
    """Empty tables."""
    with dynamodb_with("reputation", "webhooks") as client:
        yield client


def entry(number: int, bucket: str = "2026-11-21T04", kind: LedgerKind = LedgerKind.BOUNCE) -> LedgerEntry:
    """A bounce; the later the number, the later the id."""
    return LedgerEntry(
        key=f"01{number:06}",
        kind=kind,
        bucket=bucket,
        timestamp=HAPPENED,
        counted=1,
        message_id="m-1",
        reason="permanent/General" if number % 2 else None,
        recipients=("joe@shop.example",),
        sent_at=HAPPENED - timedelta(seconds=5) if number % 2 else None,
    )


def test_counters_come_newest_first_and_together(dynamodb: "DynamoDBClient") -> None:
    """A bucket may have feedback, deliveries or both; the one a baseline began stands between its hours."""
    ledger = Ledger(dynamodb, "reputation")
    ledger.add("i1", [entry(1), entry(2, "2026-11-21T04:30:00"), entry(3, kind=LedgerKind.COMPLAINT)])
    ledger.add_deliveries("i1", {"2026-11-21T04": 7, "2026-11-21T05": 9, "2026-11-20T23": 1})
    hours = ReputationTable(dynamodb, "reputation").hours("i1", since="2026-11-21T04")
    assert list(hours) == [
        HourCounts(bucket="2026-11-21T05", deliveries=9),
        HourCounts(bucket="2026-11-21T04:30:00", bounces=1),
        HourCounts(bucket="2026-11-21T04", bounces=1, complaints=1, deliveries=7),
    ]


def test_more_counters_than_a_page_are_read_in_order(dynamodb: "DynamoDBClient") -> None:
    """Thirty days are 720 of each."""
    start = datetime(2026, 11, 1, tzinfo=UTC)
    sums = {(start + timedelta(hours=n)).strftime("%Y-%m-%dT%H"): n + 1 for n in range(250)}
    Ledger(dynamodb, "reputation").add_deliveries("i1", sums)
    hours = list(ReputationTable(dynamodb, "reputation").hours("i1", since="2026-10-01T00"))
    assert [hour.deliveries for hour in hours] == list(range(250, 0, -1))


def test_the_latest_entries_are_the_evidence(dynamodb: "DynamoDBClient") -> None:
    """Newest first, whole."""
    entries = [entry(number) for number in range(7)]
    Ledger(dynamodb, "reputation").add("i1", entries)
    table = ReputationTable(dynamodb, "reputation")
    assert table.latest("i1", limit=2) == [entries[6], entries[5]]
    assert list(table.entries("i1")) == entries[::-1]
    assert table.latest("i2", limit=2) == []


def test_slices_of_the_instances_are_all_of_them_once(dynamodb: "DynamoDBClient") -> None:
    """Webhooks are no instances."""
    for number in range(40):
        for item in ("instance", "webhook#w1"):
            dynamodb.put_item(TableName="webhooks", Item=to_item({"instance_id": f"i{number}", "item": item}))
    instances = InstanceList(dynamodb, "webhooks")
    assert sorted(instances.part(0, of=1)) == sorted(f"i{number}" for number in range(40))


def test_the_ledger_is_read_a_page_at_a_time(dynamodb: "DynamoDBClient") -> None:
    """Without a gap, a repetition or an end too early."""
    entries = [entry(number) for number in range(7)]
    Ledger(dynamodb, "reputation").add("i1", entries)
    table = ReputationTable(dynamodb, "reputation")
    pages, after = [], ""
    while True:
        page, after = table.page("i1", after=after, limit=3)
        pages.append(page)
        if not after:
            break
    newest_first = entries[::-1]
    assert pages == [newest_first[:3], newest_first[3:6], newest_first[6:]]
    assert table.page("i1", after="", limit=7) == (newest_first, "")
    assert list(table.older("i1", after=entries[3].key)) == newest_first[4:]
