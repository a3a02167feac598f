"""The archive: delivered batches, kept for replay in the backlog's partitions: `sent#<when>#<hash>`, compressed.

docs/decisions/0403-replay.md says why it is a table and not a bucket, with figures.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.aws.dynamodb.attribute_values import from_item, new_item, to_item
from lambdas.aws.dynamodb.backlog.backlog import SHARDS, pieces, stamp
from lambdas.aws.dynamodb.backlog.compressed_batch import Unreadable, decompress
from lambdas.domain.webhooks.backlog import partition_key
from lambdas.domain.webhooks.delivery import KEPT_FOR, DeliveryBatch
from lambdas.domain.webhooks.webhook import WebhookId

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef

_SENT = "sent#"
_END = "~"
_PAGE = 25  # items that one BatchWriteItem takes
_ROUNDS = 4  # of BatchWriteItem for items it left unwritten


class Archive:
    """Keeps delivered batches for KEPT_FOR and reads them."""

    def __init__(
        self, client: "DynamoDBClient", table_name: str, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._sleep = sleep

    def keep(self, batches: Iterable[DeliveryBatch], *, now: datetime) -> int:
        """Keep delivered *batches*; returns how many items could not be kept (0: all were kept).

        Stops at the first page that the table rejects, because it throttles or is unavailable: the deliveries are
        already made, and other work waits for this process.
        """
        items = [_item(batch, payload, now) for whole in batches for batch, payload in pieces(whole)]
        for start in range(0, len(items), _PAGE):
            if not self._write(items[start : start + _PAGE]):
                return len(items) - start
        return 0

    def since(self, instance_id: str, webhook_id: WebhookId, moment: datetime) -> Iterator[DeliveryBatch]:
        """A webhook's batches that were delivered at *moment* or later; unreadable ones are skipped."""
        for shard in range(SHARDS):
            yield from _batches(self._between(instance_id, webhook_id, shard, _SENT + stamp(moment), _SENT + _END))

    def between(
        self, instance_id: str, webhook_id: WebhookId, shard: int, *, since: datetime, until: datetime
    ) -> Iterator[tuple[datetime, DeliveryBatch]]:
        """A partition's batches that were delivered from *since* to before *until*, each with that time."""
        for item in self._between(instance_id, webhook_id, shard, _SENT + stamp(since), _SENT + stamp(until)):
            for batch in _batches([item]):
                yield datetime.fromisoformat(item["sk"].split("#")[1]), batch

    def step(
        self,
        instance_id: str,
        webhook_id: WebhookId,
        shard: int,
        *,
        since: datetime,
        until: datetime,
        after: str,
        limit: int,
    ) -> tuple[list[DeliveryBatch], str]:
        """Up to *limit* batches of a partition delivered in that time, after key *after*, oldest first.

        Also returns the key to continue after; empty at the partition's end.
        """
        first = after + " " if after else _SENT + stamp(since)
        found = self._between(instance_id, webhook_id, shard, first, _SENT + stamp(until), page=limit)
        items = list(islice(found, limit))
        return list(_batches(items)), items[-1]["sk"] if len(items) == limit else ""

    def _between(
        self, instance_id: str, webhook_id: WebhookId, shard: int, first: str, last: str, *, page: int | None = None
    ) -> Iterator[dict[str, Any]]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table_name,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :from AND :to",
            ExpressionAttributeValues=to_item(
                {":pk": partition_key(instance_id, webhook_id, shard), ":from": first, ":to": last}
            ),
            PaginationConfig={"PageSize": page} if page else {},
        )
        return (from_item(item) for found in pages for item in found["Items"])

    def _write(self, page: "Sequence[dict[str, AttributeValueTypeDef]]") -> bool:
        left: Any = {self._table_name: [{"PutRequest": {"Item": item}} for item in page]}
        for number in range(_ROUNDS):
            with suppress(ClientError, BotoCoreError):
                left = self._client.batch_write_item(RequestItems=left).get("UnprocessedItems")
            if not left:
                return True
            self._sleep(0.05 * 2**number)
        return False


def _item(batch: DeliveryBatch, payload: bytes, now: datetime) -> "dict[str, AttributeValueTypeDef]":
    name = hashlib.sha256("\n".join(delivery.id for delivery in batch.deliveries).encode()).hexdigest()[:16]
    return new_item(
        {
            "pk": partition_key(batch.instance_id, batch.webhook_id, int(name[:8], 16) % SHARDS),
            "sk": f"{_SENT}{stamp(now)}#{name}",
            "payload": payload,
            "count": len(batch.deliveries),
            "expires_at": int((now + KEPT_FOR).timestamp()),
        }
    )


def _batches(items: Iterable[dict[str, Any]]) -> Iterator[DeliveryBatch]:
    for item in items:
        try:
            yield decompress(item["payload"])
        except Unreadable:
            continue
