"""All instances, in slices: scans the webhooks table one segment at a time."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from lambdas.aws.dynamodb.attribute_values import from_item, to_item
from lambdas.aws.dynamodb.webhooks.webhook_table import INSTANCE_ITEM, instance_key

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


class InstanceList:
    """Lists instances. A slice reads only its share of the table; all slices together read it once."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._table_name = table_name

    def part(self, number: int, *, of: int) -> Iterator[str]:
        """The ids of slice *number* (from 0) of *of*, without those that are deleted."""
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._table_name,
            Segment=number,
            TotalSegments=of,
            FilterExpression="#item = :instance AND attribute_not_exists(deleted_at)",
            ExpressionAttributeNames={"#item": "item"},
            ExpressionAttributeValues=to_item({":instance": INSTANCE_ITEM}),
            ProjectionExpression="instance_id",
        )
        return (item["instance_id"]["S"] for page in pages for item in page["Items"])

    def notifications(self, instance_id: str | None = None) -> Mapping[str, bool]:
        """Whether events are fanned out, by instance: of all instances, or of one. For operators: scans the table."""
        if instance_id is not None:
            answer = self._client.get_item(TableName=self._table_name, Key=to_item(instance_key(instance_id)))
            items = [answer["Item"]] if "Item" in answer else []
        else:
            pages = self._client.get_paginator("scan").paginate(
                TableName=self._table_name,
                FilterExpression="#item = :instance",
                ExpressionAttributeNames={"#item": "item"},
                ExpressionAttributeValues=to_item({":instance": INSTANCE_ITEM}),
            )
            items = [item for page in pages for item in page["Items"]]
        return {item["instance_id"]: bool(item["notifications"]) for item in map(from_item, items)}
