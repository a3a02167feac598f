"""A daily limit on confirmation mails to one address. A tenant can name any address, and SNS mails it each time.

Counted in the broker's table, for all tenants and all who have mails sent (broker, portal and operators) together:

    pk                                  | sk           |
    ------------------------------------+--------------+-----------------------------------
    confirmations#<sha256>              | <UTC date>   | sent (number), expires_at
    confirmations#organization#<guid>   | <UTC date>   | the same, of all addresses that it named
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lambdas.aws.dynamodb.attribute_values import to_item
from lambdas.aws.errors import code
from lambdas.domain.tenants.confirmation_mail import counter_key, organization_key

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_KEPT = timedelta(days=2)


class ConfirmationMails:
    """Counts the confirmation mails that each address gets in a day (UTC), up to *limit*, and those that each
    organization has sent, up to *per_organization*.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        *,
        limit: int,
        clock: Callable[[], datetime],
        per_organization: int = 0,
    ) -> None:
        self._client = client
        self._table = table
        self._limit = limit
        self._per_organization = per_organization
        self._clock = clock

    def take(self, email: str, organization: str = "") -> bool:
        """Count a mail to *email*, which *organization* has sent; False if one of today's limits is reached.

        Spellings of one mailbox count together. An empty *organization* is not limited: operators, and the portal,
        which limits each instance.
        """
        if organization and not self._count(organization_key(organization), self._per_organization):
            return False
        return self._count(counter_key(email), self._limit)

    def _count(self, counter: str, limit: int) -> bool:
        now = self._clock()
        key = {"pk": counter, "sk": now.date().isoformat()}
        try:
            self._client.update_item(
                TableName=self._table,
                Key=to_item(key),
                UpdateExpression="ADD sent :one SET expires_at = :expires_at",
                ConditionExpression="attribute_not_exists(sent) OR sent < :limit",
                ExpressionAttributeValues=to_item(
                    {":one": 1, ":limit": limit, ":expires_at": int((now + _KEPT).timestamp())}
                ),
            )
        except ClientError as error:
            if code(error) != "ConditionalCheckFailedException":
                raise
            return False
        return True
