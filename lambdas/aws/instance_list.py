"""All instances, in slices: the webhooks table, scanned a segment at a time."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lambdas.aws.items import to_item
from lambdas.aws.webhook_table import INSTANCE_ITEM

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


class InstanceList:
    """Lists instances. A slice reads its share of the table alone; all slices together read it once."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._table_name = table_name

    def part(self, number: int, *, of: int) -> Iterator[str]:
        """The ids of slice *number* (from 0) of *of*."""
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._table_name,
            Segment=number,
            TotalSegments=of,
            FilterExpression="#item = :instance",
            ExpressionAttributeNames={"#item": "item"},
            ExpressionAttributeValues=to_item({":instance": INSTANCE_ITEM}),
            ProjectionExpression="instance_id",
        )
        return (item["instance_id"]["S"] for page in pages for item in page["Items"])
