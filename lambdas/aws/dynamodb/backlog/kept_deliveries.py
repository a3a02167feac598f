"""Reads deliveries that are kept, waiting or delivered, of one webhook or of all: for operators who look for a mail.

There is no index by mail or recipient: docs/decisions/0404-trace.md says why, with figures. A search reads what is
kept of one webhook since a moment, or the whole backlog table, SEGMENTS parts at a time.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lambdas.aws.dynamodb.attribute_values import from_item, to_item
from lambdas.aws.dynamodb.backlog.backlog import SHARDS, stamp
from lambdas.aws.dynamodb.backlog.compressed_batch import Unreadable, decompress
from lambdas.domain.webhooks.backlog import partition_key
from lambdas.domain.webhooks.delivery import Delivery
from lambdas.domain.webhooks.webhook import WebhookId

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

SEGMENTS = 8  # of the table that are read at a time
_SENT, _PARKED, _END = "sent#", "parked#", "~"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDelivery:
    """A delivery as it is kept: `delivered` at `at`, or waiting until `at` for its next `attempt`."""

    delivered: bool
    at: datetime
    instance_id: str
    webhook_id: WebhookId
    attempt: int
    delivery: Delivery


class KeptDeliveries:
    """Finds kept deliveries; what cannot be read is skipped."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._table_name = table_name

    def of_webhook(self, instance_id: str, webhook_id: WebhookId, *, since: datetime) -> Iterator[KeptDelivery]:
        """All parked deliveries of the webhook, and those delivered since *since*. At least sixteen queries."""
        for shard in range(SHARDS):
            for first, last in ((_PARKED, _PARKED + _END), (_SENT + stamp(since), _SENT + _END)):
                yield from self._query(partition_key(instance_id, webhook_id, shard), first, last)

    def everywhere(self, *, since: datetime) -> Iterator[KeptDelivery]:
        """The same for all webhooks. Scans the table: $0.125 per million units of 8 KB."""
        with ThreadPoolExecutor(SEGMENTS) as pool:
            for found in pool.map(lambda segment: list(self._scan(segment, since)), range(SEGMENTS)):
                yield from found

    def _query(self, pk: str, first: str, last: str) -> Iterator[KeptDelivery]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table_name,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues=to_item({":pk": pk, ":first": first, ":last": last}),
        )
        for page in pages:
            for item in page["Items"]:
                yield from _kept(from_item(item))

    def _scan(self, segment: int, since: datetime) -> Iterator[KeptDelivery]:
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._table_name,
            Segment=segment,
            TotalSegments=SEGMENTS,
            FilterExpression="begins_with(sk, :parked) OR sk BETWEEN :sent AND :last",
            ExpressionAttributeValues=to_item(
                {":parked": _PARKED, ":sent": _SENT + stamp(since), ":last": _SENT + _END}
            ),
        )
        for page in pages:
            for item in page["Items"]:
                yield from _kept(from_item(item))


def _kept(item: dict[str, Any]) -> Iterator[KeptDelivery]:
    kind, moment, *_ = item["sk"].split("#")
    try:
        batch = decompress(item["payload"])
    except Unreadable:
        return
    for delivery in batch.deliveries:
        yield KeptDelivery(
            delivered=kind == _SENT.rstrip("#"),
            at=datetime.fromisoformat(moment),
            instance_id=batch.instance_id,
            webhook_id=batch.webhook_id,
            attempt=batch.attempt,
            delivery=delivery,
        )
