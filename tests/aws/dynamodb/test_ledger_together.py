"""Deliveries of many instances in one PartiQL call.

Moto evaluates no arithmetic in PartiQL, so these tests run on the embedded AWS's DynamoDB, called in the process.
"""

import asyncio
import io
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import botocore.session
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from ministack.services import dynamodb as embedded

from lambdas.aws.dynamodb.reputation.ledger import Ledger

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

HOUR = "2026-11-21T04"
TABLE = "ses-feedback-Reputation_1.x"
_KEYS = ("instance_id", "item")


class _Body(io.BytesIO):
    """A response body as urllib3 hands it to botocore."""

    def stream(self, **_: object) -> Iterator[bytes]:
        """All of it."""
        yield self.read()


class Table:
    """A client of the embedded DynamoDB with an empty table, which counts calls and may refuse statements."""

    def __init__(self) -> None:
        client: Any = botocore.session.Session().create_client(
            "dynamodb", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
        )
        self.client = cast("DynamoDBClient", client)
        self.calls: Counter[str] = Counter()
        self.failing: set[str] = set()
        client.meta.events.register("before-send.dynamodb", self._answer)
        self.client.create_table(
            TableName=TABLE,
            KeySchema=[
                {"AttributeName": "instance_id", "KeyType": "HASH"},
                {"AttributeName": "item", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in _KEYS],
            BillingMode="PAY_PER_REQUEST",
        )
        self.calls.clear()

    def _answer(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        headers = {name.lower(): _text(value) for name, value in request.headers.items()}
        operation = headers["x-amz-target"].rpartition(".")[2]
        self.calls[operation] += 1
        body: Any = request.body
        status, content = 400, '{"__type": "AccessDeniedException", "message": "not allowed"}'
        if operation not in self.failing:
            status, _, content = asyncio.run(embedded.handle_request("POST", "/", headers, _bytes(body), {}))
        raw = _Body(_bytes(content))
        return AWSResponse(request.url, status, HTTPHeaders(), raw)

    def deliveries(self, instance_id: str, bucket: str = HOUR) -> int:
        """What a counter holds."""
        return int(self.item(instance_id, bucket)["deliveries"]["N"])

    def item(self, instance_id: str, bucket: str = HOUR) -> dict[str, Any]:
        """A counter's item; empty if it does not exist."""
        return dict(self.client.get_item(TableName=TABLE, Key=_key(instance_id, bucket)).get("Item", {}))


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value or "").encode()


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _key(instance_id: str, bucket: str = HOUR) -> Any:
    return {"instance_id": {"S": instance_id}, "item": {"S": f"deliveries#{bucket}"}}


@pytest.fixture
def table() -> Iterator[Table]:
    """An empty table."""
    embedded.reset()
    yield Table()
    embedded.reset()


def each(instances: int, number: int) -> dict[str, dict[str, int]]:
    """The same number of deliveries for each of so many instances."""
    return {f"i{one}": {HOUR: number} for one in range(instances)}


def test_existing_counters_are_added_to_25_a_call(table: Table) -> None:
    """The first addition of a process creates them, one by one."""
    ledger = Ledger(table.client, TABLE)
    assert ledger.add_all_deliveries(each(60, 3)) == {}
    assert table.calls == {"UpdateItem": 60}
    table.calls.clear()
    assert ledger.add_all_deliveries(each(60, 4)) == {}
    assert table.calls == {"BatchExecuteStatement": 3}
    assert {table.deliveries(f"i{one}") for one in range(60)} == {7}
    assert "expires_at" in table.item("i0")


def test_a_process_that_starts_does_not_overwrite_what_others_counted(table: Table) -> None:
    """It adds, whether or not it knows the counter."""
    Ledger(table.client, TABLE).add_all_deliveries(each(2, 3))
    other = Ledger(table.client, TABLE)
    other.add_all_deliveries(each(2, 3))
    other.add_all_deliveries(each(2, 3))
    assert table.deliveries("i0") == 9


def test_a_counter_that_was_removed_is_created_again(table: Table) -> None:
    """A PartiQL update does not create items; the others of the call are counted once."""
    ledger = Ledger(table.client, TABLE)
    ledger.add_all_deliveries(each(3, 3))
    table.client.delete_item(TableName=TABLE, Key=_key("i1"))
    assert ledger.add_all_deliveries(each(3, 4)) == {}
    assert [table.deliveries(f"i{one}") for one in range(3)] == [7, 4, 7]
    assert "expires_at" in table.item("i1")


def test_each_hour_of_an_instance_has_its_counter(table: Table) -> None:
    """An hour that is new is created beside one that exists."""
    ledger = Ledger(table.client, TABLE)
    ledger.add_all_deliveries(each(2, 1))
    ledger.add_all_deliveries({name: {HOUR: 1, "2026-11-21T05": 2} for name in ("i0", "i1")})
    assert (table.deliveries("i0"), table.deliveries("i0", "2026-11-21T05")) == (2, 2)


def test_a_call_that_is_refused_is_repeated_one_by_one(table: Table) -> None:
    """For example while a new role spreads: PartiQL is an action of its own."""
    ledger = Ledger(table.client, TABLE)
    ledger.add_all_deliveries(each(3, 1))
    table.failing.add("BatchExecuteStatement")
    assert ledger.add_all_deliveries(each(3, 1)) == {}
    assert {table.deliveries(f"i{one}") for one in range(3)} == {2}


def test_an_instance_that_cannot_be_counted_is_named_and_the_others_are_counted(table: Table) -> None:
    """Its messages alone come again."""
    ledger = Ledger(table.client, TABLE)
    ledger.add_all_deliveries(each(2, 1))
    table.failing.add("UpdateItem")
    failed = ledger.add_all_deliveries(each(3, 1))
    assert list(failed) == ["i2"]
    assert table.deliveries("i0") == 2
    assert not table.item("i2")


def test_nothing_to_add_makes_no_call(table: Table) -> None:
    """A batch of bounces alone."""
    assert Ledger(table.client, TABLE).add_all_deliveries({"i0": {}}) == {}
    assert not table.calls
