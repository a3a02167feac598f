"""The ledger in DynamoDB."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from lambdas.aws.dynamodb.attribute_values import from_item
from lambdas.aws.dynamodb.reputation.ledger import Ledger, LedgerContended
from lambdas.domain.reputation.ledger import LedgerEntry, LedgerKind
from tests.aws.tables import dynamodb_with

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

HAPPENED = datetime(2026, 11, 21, 4, 0, 5, tzinfo=UTC)
HOUR = "2026-11-21T04"


@pytest.fixture
def dynamodb() -> Iterator["DynamoDBClient"]:
    """An empty reputation table."""
    with dynamodb_with("reputation") as client:
        yield client


def entry(key: str, kind: LedgerKind = LedgerKind.BOUNCE, **changes: Any) -> LedgerEntry:
    """A bounce of one recipient."""
    facts: dict[str, Any] = {
        "key": key,
        "kind": kind,
        "bucket": HOUR,
        "timestamp": HAPPENED,
        "counted": 1,
        "message_id": "m-1",
        "reason": "General",
        "recipients": ("joe@shop.example",),
        "sent_at": HAPPENED - timedelta(seconds=5),
    }
    return LedgerEntry(**{**facts, **changes})


def item(client: "DynamoDBClient", name: str) -> dict[str, Any]:
    """An item of instance i1."""
    answer = client.get_item(TableName="reputation", Key={"instance_id": {"S": "i1"}, "item": {"S": name}})
    return from_item(answer["Item"])


def counts(client: "DynamoDBClient", bucket: str = HOUR) -> tuple[int, int]:
    """Bounces and complaints of a counter."""
    counter = item(client, f"feedback#{bucket}")
    return counter["bounces"], counter["complaints"]


class Refusing:
    """A client whose transactions are cancelled for *reasons*, one list a call, then go through."""

    def __init__(self, client: "DynamoDBClient", *reasons: list[str]) -> None:
        self._client = client
        self._reasons = list(reasons)
        self.calls = 0

    def transact_write_items(self, **call: Any) -> Any:
        """Cancel, or pass on."""
        self.calls += 1
        if not self._reasons:
            return self._client.transact_write_items(**call)
        codes: Any = [{"Code": code} for code in self._reasons.pop(0)]
        answer: Any = {"Error": {"Code": "TransactionCanceledException", "Message": "x"}, "CancellationReasons": codes}
        raise ClientError(answer, "TransactWriteItems")


def refusing(client: "DynamoDBClient", *reasons: list[str]) -> tuple[Ledger, Refusing, list[float]]:
    """A ledger over a refusing client, that client, and the waits it makes."""
    waits: list[float] = []
    fake = Refusing(client, *reasons)
    return Ledger(fake, "reputation", pause=waits.append, chance=lambda: 0.5), fake, waits  # type: ignore[arg-type]


def test_an_entry_and_its_counter_are_written_together(dynamodb: "DynamoDBClient") -> None:
    """With the evidence, and a time to go."""
    new = Ledger(dynamodb, "reputation").add("i1", [entry("f1", counted=2), entry("f2", LedgerKind.COMPLAINT)])
    assert new == {"f1", "f2"}
    assert counts(dynamodb) == (2, 1)
    assert item(dynamodb, "ledger#f1") == {
        "instance_id": "i1",
        "item": "ledger#f1",
        "kind": "bounce",
        "bucket": HOUR,
        "timestamp": "2026-11-21T04:00:05+00:00",
        "counted": 2,
        "schema": 1,
        "message_id": "m-1",
        "reason": "General",
        "recipients": ["joe@shop.example"],
        "sent_at": "2026-11-21T04:00:00+00:00",
        "expires_at": int((HAPPENED + timedelta(days=30)).timestamp()),
    }
    assert item(dynamodb, f"feedback#{HOUR}")["expires_at"] == int(datetime(2026, 12, 26, 4, tzinfo=UTC).timestamp())


def test_what_is_there_is_dropped_and_the_rest_is_counted(dynamodb: "DynamoDBClient") -> None:
    """The same event again, in another batch."""
    ledger = Ledger(dynamodb, "reputation")
    ledger.add("i1", [entry("f1"), entry("f2")])
    assert ledger.add("i1", [entry("f1"), entry("f3"), entry("f2")]) == {"f3"}
    assert ledger.add("i1", [entry("f1"), entry("f3")]) == frozenset()
    assert counts(dynamodb) == (3, 0)


def test_a_duplicate_within_a_call_counts_once(dynamodb: "DynamoDBClient") -> None:
    """DynamoDB would refuse two actions on one item."""
    assert Ledger(dynamodb, "reputation").add("i1", [entry("f1"), entry("f1")]) == {"f1"}
    assert counts(dynamodb) == (1, 0)


def test_a_duplicate_with_another_time_counts_once(dynamodb: "DynamoDBClient") -> None:
    """In whichever hour it was first read."""
    ledger = Ledger(dynamodb, "reputation")
    assert ledger.add("i1", [entry("f1"), entry("f1", bucket="2026-11-21T05")]) == {"f1"}
    assert counts(dynamodb) == (1, 0)


def test_more_entries_than_a_transaction_takes_are_all_counted(dynamodb: "DynamoDBClient") -> None:
    """99 and the counter."""
    many = [entry(f"f{number}") for number in range(250)]
    assert len(Ledger(dynamodb, "reputation").add("i1", many)) == 250
    assert counts(dynamodb) == (250, 0)


def test_hours_have_counters_of_their_own(dynamodb: "DynamoDBClient") -> None:
    """A late bounce belongs to its own hour."""
    Ledger(dynamodb, "reputation").add("i1", [entry("f1"), entry("f2", bucket="2026-11-20T23")])
    assert counts(dynamodb) == (1, 0)
    assert counts(dynamodb, "2026-11-20T23") == (1, 0)


def test_nothing_to_count_writes_nothing(dynamodb: "DynamoDBClient") -> None:
    """A batch of deliveries."""
    ledger, fake, _ = refusing(dynamodb)
    assert ledger.add("i1", []) == frozenset()
    assert fake.calls == 0


def test_a_conflict_is_tried_again(dynamodb: "DynamoDBClient") -> None:
    """Another run counts for the same instance and hour at the same moment."""
    ledger, fake, waits = refusing(dynamodb, ["None", "TransactionConflict"], ["ThrottlingError", "None"])
    assert ledger.add("i1", [entry("f1")]) == {"f1"}
    assert counts(dynamodb) == (1, 0)
    assert fake.calls == 3
    assert waits == [0.02, 0.05]


def test_a_conflict_that_lasts_is_a_fault(dynamodb: "DynamoDBClient") -> None:
    """The messages come again later."""
    ledger, _, waits = refusing(dynamodb, *[["None", "TransactionConflict"]] * 100)
    with pytest.raises(LedgerContended):
        ledger.add("i1", [entry("f1")])
    assert sum(waits) < 10


@pytest.mark.parametrize("code", ["ValidationError", "ItemCollectionSizeLimitExceeded"])
def test_a_transaction_that_cannot_be_is_a_fault_at_once(dynamodb: "DynamoDBClient", code: str) -> None:
    """Waiting does not mend it."""
    ledger, fake, _ = refusing(dynamodb, [code, "None"])
    with pytest.raises(ClientError):
        ledger.add("i1", [entry("f1")])
    assert fake.calls == 1


def test_deliveries_are_summed(dynamodb: "DynamoDBClient") -> None:
    """An addition a bucket."""
    ledger = Ledger(dynamodb, "reputation")
    ledger.add_deliveries("i1", {HOUR: 3, "2026-11-21T03": 1})
    ledger.add_deliveries("i1", {HOUR: 4})
    assert item(dynamodb, f"deliveries#{HOUR}")["deliveries"] == 7
    assert item(dynamodb, "deliveries#2026-11-21T03")["deliveries"] == 1
