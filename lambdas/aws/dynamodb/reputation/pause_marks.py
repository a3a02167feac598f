"""Marks in the reputation table: pauses that outlive their instances.

    instance_id | item      |
    ------------+-----------+-----------------------------------------------------------------------------------
    #marks      | <domain>  | transition (JSON of the pause, its evidence), until (ISO 8601), expires_at (epoch, s)

The transaction that claims a pause also writes its mark (sending_status_table.py), so that a crash cannot separate
them. When the instance is deleted, the broker's worker restarts the mark's time before it releases the domain.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from lambdas.aws.dynamodb.attribute_values import from_item, new_item, to_item
from lambdas.domain.reputation.sending_status import Mark, Transition
from lambdas.domain.tenants.domain_names import parents

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

MARKS = "#marks"  # no instance's id holds a hash sign
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Transition).decode


class PauseMarks:
    """Reads and writes marks. Reads are consistent and leave out expired marks."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._table_name = table_name

    def on(self, domain: str, *, now: datetime) -> Mark | None:
        """The mark on *domain* itself."""
        answer = self._client.get_item(TableName=self._table_name, Key=mark_key(domain), ConsistentRead=True)
        return _valid(answer["Item"], now) if "Item" in answer else None

    def over(self, domain: str, *, now: datetime) -> Mark | None:
        """The mark on *domain*, or on its nearest parent that has one."""
        marks = (self.on(name, now=now) for name in (domain, *parents(domain)))
        return next((mark for mark in marks if mark is not None), None)

    def keep(self, mark: Mark) -> None:
        """Write *mark*; it replaces an earlier one on its domain."""
        self._client.put_item(TableName=self._table_name, Item=mark_item(mark))

    def lift(self, domain: str) -> None:
        """Remove the mark on *domain*, if there is one."""
        self._client.delete_item(TableName=self._table_name, Key=mark_key(domain))

    def every_mark(self, *, now: datetime) -> Iterator[Mark]:
        """Every mark, by domain."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table_name,
            KeyConditionExpression="instance_id = :marks",
            ExpressionAttributeValues=to_item({":marks": MARKS}),
            ConsistentRead=True,
        )
        return filter(None, (_valid(item, now) for page in pages for item in page["Items"]))


def mark_key(domain: str) -> Any:
    """The primary key of a mark's item."""
    return to_item({"instance_id": MARKS, "item": domain})


def mark_item(mark: Mark) -> Any:
    """The mark's item."""
    facts = {
        "transition": _encode(mark.transition).decode(),
        "until": mark.until.isoformat(),
        "expires_at": int(mark.until.timestamp()),
    }
    return mark_key(mark.domain) | new_item(facts)


def _valid(item: Any, now: datetime) -> Mark | None:
    """Whether the mark has not expired: DynamoDB removes expired items within days, not at once."""
    plain = from_item(item)
    until = datetime.fromisoformat(plain["until"])
    return Mark(domain=plain["item"], transition=_decode(plain["transition"]), until=until) if now < until else None
