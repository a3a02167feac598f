"""The backlog table: parked deliveries, and delivered ones kept for replay. One compressed item per queue message.

    pk                              | sk                          |
    --------------------------------+-----------------------------+---------------------------------------------------
    <instance>#<webhook>#<shard>    | mark                        | shard, due_at (the index `due`), seq, waiting
    <instance>#<webhook>#<shard>    | parked#<due>#<hash>         | payload, count, parked_at, token, expires_at
    <instance>#<webhook>#<shard>    | quarantined#<due>#<hash>    | a parked item that could not be read
    <instance>#<webhook>#<shard>    | sent#<when>#<hash>          | payload, count, expires_at: see archive.py

A webhook's backlog is split into eight shards, one table partition each. Together they take some 8,000 parked
deliveries a second for a dead receiver; a single partition would stop at 1,000 write units.

A parked item and its partition's mark are written in one transaction. The mark is due when the partition's first item
is due, and the sparse index `due` finds it without a scan. Release clears the mark only if its `seq`, new with each
park, is still the one it read before it read the partition, so that a delivery parked meanwhile is never stranded. A
parked item is removed only with its own `token`: the same message may be parked again while it is released.
"""

import hashlib
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from lambdas.aws.dynamodb.attribute_values import from_item, new_item, to_item
from lambdas.aws.dynamodb.backlog.compressed_batch import Unreadable, compress, decompress
from lambdas.domain.webhooks.backlog import Parked, Partition, partition_key
from lambdas.domain.webhooks.delivery import DeliveryBatch, expires_at
from lambdas.domain.webhooks.webhook import WebhookId

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

T = TypeVar("T")

SHARDS = 8
DUE_INDEX = "due"
MARK = "mark"
_SHARD = {"#shard": "shard"}  # a reserved word
_PARKED, _QUARANTINED = "parked#", "quarantined#"
_END = "~"  # sorts after every hash
_MAX_PAYLOAD = 350_000  # bytes: an item may have 400 KB
_TRIES = 8  # of a transaction that conflicts with others
SIDE_BY_SIDE = 16  # items written at a time
_GRACE = timedelta(days=1)  # DynamoDB removes items that release had not found expired by then
_CONTENTION = {"TransactionConflict", "ConditionalCheckFailed"}


class BacklogContended(Exception):
    """The partition's mark changed at each attempt to park. Retry the message."""


class Backlog:
    """Parks deliveries, finds those that are due, and removes them."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table_name: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        side_by_side: int = SIDE_BY_SIDE,
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._sleep = sleep
        self._side_by_side = side_by_side

    # parking

    def park(self, entries: Iterable[tuple[DeliveryBatch, datetime]], *, now: datetime) -> None:
        """Park batches, each until its own time. Idempotent for the same time. Raises BacklogContended."""
        parts = [(piece, due, payload) for batch, due in entries for piece, payload in pieces(batch)]
        self._each(lambda part: self._park(*part, now=now), parts)

    def _park(self, batch: DeliveryBatch, due: datetime, payload: bytes, *, now: datetime) -> None:
        name = _name(batch)
        pk = partition_key(batch.instance_id, batch.webhook_id, int(name[:8], 16) % SHARDS)
        item = {
            "pk": pk,
            "sk": f"{_PARKED}{stamp(due)}#{name}",
            "payload": payload,
            "count": len(batch.deliveries),
            "parked_at": stamp(now),
            "token": secrets.token_hex(8),
            "expires_at": int((expires_at(batch) + _GRACE).timestamp()),
        }
        put: TransactWriteItemTypeDef = {"Put": {"TableName": self._table_name, "Item": new_item(item)}}
        for number in range(_TRIES):
            for mark in (self._same_mark, self._earlier_mark):  # most are parked behind something: one call
                if self._write([put, mark(pk, due, len(batch.deliveries))]):
                    return
            self._sleep(0.02 * 2**number * (1 + secrets.randbelow(100) / 100))
        raise BacklogContended(batch.webhook_id)

    def _write(self, parts: "list[TransactWriteItemTypeDef]") -> bool:
        """Whether the transaction succeeded; False if it conflicted with another one."""
        try:
            self._client.transact_write_items(TransactItems=parts)
        except self._client.exceptions.TransactionCanceledException as refusal:
            reasons = {reason.get("Code", "None") for reason in refusal.response.get("CancellationReasons", [])}
            if reasons <= _CONTENTION | {"None"} and reasons & _CONTENTION:
                return False
            raise
        return True

    def _earlier_mark(self, pk: str, due: datetime, count: int) -> "TransactWriteItemTypeDef":
        """Set the mark of a partition that has none, or a later one."""
        return self._mark(
            pk,
            "SET #shard = :shard, due_at = :due, seq = :seq ADD waiting :count",
            "attribute_not_exists(due_at) OR due_at > :due",
            {":shard": pk.rpartition("#")[2], ":due": stamp(due), ":count": count},
        )

    def _same_mark(self, pk: str, due: datetime, count: int) -> "TransactWriteItemTypeDef":
        """Record in a mark that is due early enough that something was parked."""
        values = {":due": stamp(due), ":count": count}
        return self._mark(pk, "SET seq = :seq ADD waiting :count", "due_at <= :due", values)

    def _mark(self, pk: str, update: str, condition: str, values: dict[str, object]) -> "TransactWriteItemTypeDef":
        part: TransactWriteItemTypeDef = {
            "Update": {
                "TableName": self._table_name,
                "Key": to_item({"pk": pk, "sk": MARK}),
                "UpdateExpression": update,
                "ConditionExpression": condition,
                "ExpressionAttributeValues": to_item({**values, ":seq": secrets.token_hex(8)}),
            }
        }
        if "#shard" in update:
            part["Update"]["ExpressionAttributeNames"] = _SHARD
        return part

    # finding

    def due(self, *, now: datetime) -> Iterator[Partition]:
        """The partitions that have something due, from the index. A slightly stale `seq` only keeps `rest` from
        succeeding.
        """
        for shard in range(SHARDS):
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table_name,
                IndexName=DUE_INDEX,
                KeyConditionExpression="#shard = :shard AND due_at <= :now",
                ExpressionAttributeNames=_SHARD,
                ExpressionAttributeValues=to_item({":shard": str(shard), ":now": stamp(now)}),
            )
            for page in pages:
                yield from (_partition_of(from_item(item)) for item in page["Items"])

    def marked(self) -> Iterator[tuple[Partition, datetime]]:
        """Every partition that holds something, with the time at which its first item is due, from the index.

        A disabled webhook's partition is due when its first delivery expires.
        """
        for shard in range(SHARDS):
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table_name,
                IndexName=DUE_INDEX,
                KeyConditionExpression="#shard = :shard",
                ExpressionAttributeNames=_SHARD,
                ExpressionAttributeValues=to_item({":shard": str(shard)}),
            )
            for item in (from_item(item) for page in pages for item in page["Items"]):
                yield _partition_of(item), datetime.fromisoformat(item["due_at"])

    def partitions(self, instance_id: str, webhook_id: WebhookId) -> list[Partition]:
        """The partitions of a webhook that have a mark, due or not."""
        keys = [to_item({"pk": partition_key(instance_id, webhook_id, shard), "sk": MARK}) for shard in range(SHARDS)]
        left: Any = {self._table_name: {"Keys": keys, "ConsistentRead": True}}
        found: list[Partition] = []
        while left:
            answer = self._client.batch_get_item(RequestItems=left)
            found += [_partition_of(from_item(item)) for item in answer["Responses"].get(self._table_name, [])]
            left = answer.get("UnprocessedKeys")
        return found

    def waiting(self, instance_id: str, webhook_id: WebhookId) -> int:
        """About how many deliveries a webhook has parked."""
        return sum(partition.waiting for partition in self.partitions(instance_id, webhook_id))

    def read(
        self, partition: Partition, *, until: datetime | None = None, after: str = "", limit: int = 1000
    ) -> list[Parked]:
        """The partition's parked items, soonest due first: those due *until* that time (None: all), after key
        *after*.
        """
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table_name,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :from AND :to",
            ExpressionAttributeValues=to_item(
                {
                    ":pk": partition.pk,
                    ":from": after + " " if after else _PARKED,
                    ":to": _PARKED + (stamp(until) if until else "") + _END,
                }
            ),
            ConsistentRead=True,
            PaginationConfig={"MaxItems": limit, "PageSize": min(limit, 50)},
        )
        return [_parked(partition, from_item(item)) for page in pages for item in page["Items"]]

    # removing

    def remove(self, parked: Iterable[Parked]) -> None:
        """Remove items, except those that were parked again since they were read."""
        self._each(self._remove, list(parked))

    def _remove(self, parked: Parked) -> None:
        try:
            self._client.delete_item(
                TableName=self._table_name,
                Key=to_item({"pk": parked.partition.pk, "sk": parked.sk}),
                ConditionExpression="#token = :token",
                ExpressionAttributeNames={"#token": "token"},
                ExpressionAttributeValues=to_item({":token": parked.token}),
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return
        self._count(parked.partition, -parked.count)

    def quarantine(self, parked: Parked) -> None:
        """Quarantine an unreadable item, so that it does not block the others; it is kept unchanged until it
        expires.
        """
        key = to_item({"pk": parked.partition.pk, "sk": parked.sk})
        item = self._client.get_item(TableName=self._table_name, Key=key, ConsistentRead=True).get("Item")
        if item is None:
            return
        name = parked.sk.removeprefix(_PARKED)
        self._client.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": self._table_name, "Item": {**item, **to_item({"sk": _QUARANTINED + name})}}},
                {"Delete": {"TableName": self._table_name, "Key": key}},
            ]
        )
        self._count(parked.partition, -parked.count)

    def rest(self, partition: Partition, *, until: datetime | None) -> bool:
        """Clear the mark, or set it to that time (None: clear). Returns False if something was parked since it was
        read.
        """
        condition: Any = {
            "TableName": self._table_name,
            "Key": to_item({"pk": partition.pk, "sk": MARK}),
            "ConditionExpression": "seq = :seq",
        }
        values: dict[str, object] = {":seq": partition.seq}
        try:
            if until is None:
                self._client.delete_item(**condition, ExpressionAttributeValues=to_item(values))
            else:
                values[":due"] = stamp(until)
                self._client.update_item(
                    **condition, UpdateExpression="SET due_at = :due", ExpressionAttributeValues=to_item(values)
                )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def wake(self, instance_id: str, webhook_id: WebhookId, *, now: datetime) -> None:
        """Make everything that a webhook has parked visible to release, due or not.

        `seq` is new, so a release that runs with an older view of the webhook cannot clear the mark again.
        """
        for partition in self.partitions(instance_id, webhook_id):
            with suppress(self._client.exceptions.ConditionalCheckFailedException):
                self._client.update_item(
                    TableName=self._table_name,
                    Key=to_item({"pk": partition.pk, "sk": MARK}),
                    UpdateExpression="SET due_at = :now, seq = :seq",
                    ConditionExpression="attribute_exists(pk)",
                    ExpressionAttributeValues=to_item({":now": stamp(now), ":seq": secrets.token_hex(8)}),
                )

    def _each(self, work: Callable[[T], None], things: Sequence[T]) -> None:
        """Call *work* with each of *things*, several concurrently."""
        threads = min(self._side_by_side, len(things))
        if threads < 2:
            for thing in things:
                work(thing)
            return
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, things))

    def _count(self, partition: Partition, change: int) -> None:
        """Keep the mark's count approximate; it becomes exact when the partition is empty and its mark is removed."""
        with suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._client.update_item(
                TableName=self._table_name,
                Key=to_item({"pk": partition.pk, "sk": MARK}),
                UpdateExpression="ADD waiting :change",
                ConditionExpression="attribute_exists(pk)",
                ExpressionAttributeValues=to_item({":change": change}),
            )


def stamp(moment: datetime) -> str:
    """*moment* in UTC at a fixed width, so that it sorts."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def pieces(batch: DeliveryBatch) -> Iterator[tuple[DeliveryBatch, bytes]]:
    """The batch with its payload, in halves where it is too large for an item."""
    payload = compress(batch)
    if len(payload) <= _MAX_PAYLOAD or len(batch.deliveries) == 1:
        yield batch, payload
        return
    middle = len(batch.deliveries) // 2
    for half in (batch.deliveries[:middle], batch.deliveries[middle:]):
        yield from pieces(replace(batch, deliveries=half))


def _name(batch: DeliveryBatch) -> str:
    """Derived from the content, so that parking the same batch again writes the same item."""
    ids = "\n".join([str(batch.attempt), *(delivery.id for delivery in batch.deliveries)])
    return hashlib.sha256(ids.encode()).hexdigest()[:16]


def _partition_of(item: dict[str, Any]) -> Partition:
    instance_id, webhook_id, shard = item["pk"].split("#")
    return Partition(
        instance_id=instance_id,
        webhook_id=WebhookId(webhook_id),
        shard=int(shard),
        seq=item.get("seq", ""),
        waiting=max(0, int(item.get("waiting", 0))),
    )


def _parked(partition: Partition, item: dict[str, Any]) -> Parked:
    try:
        batch = decompress(item["payload"])
    except (Unreadable, KeyError):
        batch = None
    due = item["sk"].split("#")[1]
    return Parked(
        partition=partition,
        sk=item["sk"],
        token=item.get("token", ""),
        due=datetime.fromisoformat(due),
        parked_at=datetime.fromisoformat(item["parked_at"]) if "parked_at" in item else datetime.fromisoformat(due),
        count=int(item.get("count", 0)),
        batch=batch,
    )
