"""Members of organizations in the reputation table: their instances that had a bounce or complaint of late.

    instance_id           | item        |
    ----------------------+-------------+----------------------------------------------------
    #organization#<guid>  | <instance>  | expires_at (epoch, s): 35 days after its last feedback

Written when an instance is evaluated, not when an event is recorded: the recording transaction stays as it is. An
instance that is deleted stays a member for as long as its counters are kept.

The broker's table lists an organization's instances too (BrokerTable), and means something else: all instances that
exist, changed in the transaction that makes or removes one, to bound their number. An organization's sums need those
that were deleted lately and none without feedback, so the two lists are not one.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from lambdas.aws.dynamodb.attribute_values import from_item, new_item, to_item
from lambdas.domain.reputation.ledger import COUNTERS_KEPT

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_PREFIX = "#organization#"  # no instance's id holds a hash sign


class OrganizationTable:
    """Reads and writes the members of organizations."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._table_name = table_name

    def join(self, organization: str, instance_id: str, *, now: datetime) -> None:
        """Record the instance as a member. Idempotent; a repetition extends the membership."""
        expires_at = int((now + COUNTERS_KEPT).timestamp())
        item = {"instance_id": _PREFIX + organization, "item": instance_id, "expires_at": expires_at}
        self._client.put_item(TableName=self._table_name, Item=new_item(item))

    def members(self, organization: str, *, now: datetime) -> Iterator[str]:
        """The instances of *organization* with recent feedback, deleted ones included."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table_name,
            KeyConditionExpression="instance_id = :organization",
            ExpressionAttributeValues=to_item({":organization": _PREFIX + organization}),
            ConsistentRead=True,
        )
        items = (from_item(item) for page in pages for item in page["Items"])
        return (item["item"] for item in items if item["expires_at"] > now.timestamp())
