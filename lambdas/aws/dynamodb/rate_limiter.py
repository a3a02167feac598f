"""The account's rate limiter: one token bucket in DynamoDB for all calls of SES's control plane.

SES allows about one such call per second and account, and sends no Retry-After. The bucket is a GCRA: one item holds
the theoretical arrival time `tat` (epoch, s) of the next call. A conditional write advances it.
"""

from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

BUCKET = "ses"
_TRIES = 5  # of the conditional write, when that many callers advance the bucket at the same moment
_CROWDED = 0.2  # s: the wait after all of them failed


class RateLimiter:
    """Grants single calls, *rate* a second, and *burst* at once after an idle time."""

    def __init__(
        self, client: "DynamoDBClient", table: str, *, rate: float = 1.0, burst: int = 1, bucket: str = BUCKET
    ) -> None:
        self._client = client
        self._table = table
        self._interval = 1 / rate
        self._tolerance = self._interval * (burst - 1)
        self._key = {"bucket": {"S": bucket}}

    def acquire(self, *, now: datetime, priority: bool = False) -> float:
        """0.0 if a call may be made now, else the seconds after which to ask again.

        A call with *priority* (a pause that protects the account) is granted at once, and the others wait for it.
        """
        moment = now.timestamp()
        for _ in range(_TRIES):
            known = self._tat()
            earliest = (known or 0.0) - self._tolerance
            if earliest > moment and not priority:
                return round(earliest - moment, 3)
            if self._advance(known, max(known or 0.0, moment) + self._interval):
                return 0.0
        return 0.0 if priority else _CROWDED

    def _tat(self) -> float | None:
        answer = self._client.get_item(TableName=self._table, Key=self._key, ConsistentRead=True)
        return float(answer["Item"]["tat"]["N"]) if "Item" in answer else None

    def _advance(self, known: float | None, tat: float) -> bool:
        names = {"#tat": "tat"}
        values = {":tat": {"N": _written(tat)}}
        condition = "attribute_not_exists(#tat)"
        if known is not None:
            condition = "#tat = :known"
            values[":known"] = {"N": _written(known)}
        try:
            self._client.update_item(
                TableName=self._table,
                Key=self._key,
                UpdateExpression="SET #tat = :tat",
                ConditionExpression=condition,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False
        return True


def _written(seconds: float) -> str:
    return f"{seconds:.6f}"
