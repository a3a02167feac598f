"""A daily limit on confirmation mails to one address. A tenant can name any address, and SNS mails it each time.

Counted in the broker's table, for all tenants and all who have mails sent (broker, portal and operators) together:

    pk                          | sk           |
    ----------------------------+--------------+-----------------------------------
    confirmations#<sha256>      | <UTC date>   | sent (number), expires_at
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lambdas.aws.dynamodb.attribute_values import to_item
from lambdas.aws.errors import code
from lambdas.domain.tenants.confirmation_mail import counter_key

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_KEPT = timedelta(days=2)


class ConfirmationMails:
    """Counts the confirmation mails that each address gets in a day (UTC), up to *limit*."""

    def __init__(self, client: "DynamoDBClient", table: str, *, limit: int, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._table = table
        self._limit = limit
        self._clock = clock

    def take(self, email: str) -> bool:
        """Count a mail to *email*; False if today's limit is reached. Spellings of one mailbox count together."""
        now = self._clock()
        key = {"pk": counter_key(email), "sk": now.date().isoformat()}
        try:
            self._client.update_item(
                TableName=self._table,
                Key=to_item(key),
                UpdateExpression="ADD sent :one SET expires_at = :expires_at",
                ConditionExpression="attribute_not_exists(sent) OR sent < :limit",
                ExpressionAttributeValues=to_item(
                    {":one": 1, ":limit": self._limit, ":expires_at": int((now + _KEPT).timestamp())}
                ),
            )
        except ClientError as error:
            if code(error) != "ConditionalCheckFailedException":
                raise
            return False
        return True
