"""An instance's baseline: feedback on mail sent before it does not count. Only `ops resume` sets it."""

from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lambdas.aws.dynamodb.attribute_values import to_item
from lambdas.aws.dynamodb.webhooks.webhook_table import instance_key

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


class Baselines:
    """Writes baselines to the webhooks table, where the feedback function reads them with the audience."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._table_name = table_name

    def set(self, instance_id: str, baseline: datetime) -> bool:
        """Count only feedback on mail sent since *baseline*; False if the instance does not exist."""
        try:
            self._client.update_item(
                TableName=self._table_name,
                Key=to_item(instance_key(instance_id)),
                UpdateExpression="SET baseline = :baseline",
                ConditionExpression="attribute_exists(instance_id)",
                ExpressionAttributeValues=to_item({":baseline": baseline.isoformat()}),
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False
        return True
