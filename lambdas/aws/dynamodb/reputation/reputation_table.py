"""Reads what the ledger wrote: counters newest first, and the latest entries as evidence."""

import heapq
from collections.abc import Iterator
from datetime import datetime
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

from lambdas.aws.dynamodb.attribute_values import from_item, to_item
from lambdas.aws.dynamodb.reputation.ledger import DELIVERIES_PREFIX, FEEDBACK_PREFIX, LEDGER_PREFIX
from lambdas.domain import schema
from lambdas.domain.reputation.evaluation import HourCounts
from lambdas.domain.reputation.ledger import LedgerEntry, LedgerKind

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_COUNTED = "#item, bounces, complaints, deliveries, #schema"  # half the CPU of reading whole counters
_PAGE = 100  # counters a page: four days; most windows end within the first


class ReputationTable:
    """Reads an instance's counters and ledger.

    Reads are consistent, as decisions need them. *consistent* is False for pages that only show what is there: at half
    the price, and at most a second old. *page* is the number of counters in one read.
    """

    def __init__(
        self, client: "DynamoDBClient", table_name: str, *, consistent: bool = True, page: int = _PAGE
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._consistent = consistent
        self._page = page

    def hours(self, instance_id: str, *, since: str) -> Iterator[HourCounts]:
        """The counters from bucket *since* on, newest first. Pages are read on demand."""
        feedback = self._counters(instance_id, FEEDBACK_PREFIX, since)
        deliveries = self._counters(instance_id, DELIVERIES_PREFIX, since)
        merged = heapq.merge(feedback, deliveries, key=_bucket, reverse=True)
        for bucket, counters in groupby(merged, key=_bucket):
            counts = {"bounces": 0, "complaints": 0, "deliveries": 0}
            for counter in counters:
                counts |= {name: counter[name] for name in counts if name in counter}
            yield HourCounts(bucket=bucket, **counts)

    def latest(self, instance_id: str, *, limit: int) -> list[LedgerEntry]:
        """The last bounces and complaints that counted, newest first. SES's ids begin with their time."""
        items = self._items(instance_id, LEDGER_PREFIX, limit=limit)
        return [_entry(item) for _, item in zip(range(limit), items, strict=False)]

    def page(self, instance_id: str, *, after: str, limit: int) -> tuple[list[LedgerEntry], str]:
        """Up to *limit* entries older than key *after* (empty: the newest), newest first.

        Also returns the key that the next page continues after; empty at the end.
        """
        items = self._items(instance_id, LEDGER_PREFIX, before=after, limit=limit + 1)
        entries = [_entry(item) for item in islice(items, limit + 1)]
        return entries[:limit], entries[limit - 1].key if len(entries) > limit else ""

    def entries(self, instance_id: str) -> Iterator[LedgerEntry]:
        """The whole ledger of an instance, newest first."""
        return map(_entry, self._items(instance_id, LEDGER_PREFIX, limit=1_000))

    def older(self, instance_id: str, *, after: str) -> Iterator[LedgerEntry]:
        """The entries older than key *after* (empty: all), newest first. Pages are read on demand."""
        return map(_entry, self._items(instance_id, LEDGER_PREFIX, before=after, limit=1_000))

    def _counters(self, instance_id: str, prefix: str, since: str) -> Iterator[dict[str, Any]]:
        for item in self._items(instance_id, prefix, since=since, limit=self._page, only=_COUNTED):
            yield item | {"bucket": item["item"].removeprefix(prefix)}

    def _items(
        self, instance_id: str, prefix: str, *, since: str = "", before: str = "", limit: int, only: str = ""
    ) -> Iterator[dict[str, Any]]:
        projection: dict[str, Any] = {"ProjectionExpression": only} if only else {}
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table_name,
            KeyConditionExpression="instance_id = :instance AND #item BETWEEN :first AND :last",
            ExpressionAttributeNames={"#item": "item"} | ({"#schema": schema.ATTRIBUTE} if only else {}),
            ExpressionAttributeValues=to_item(
                {":instance": instance_id, ":first": prefix + since, ":last": prefix + (before or "~")}
            ),
            ScanIndexForward=False,
            ConsistentRead=self._consistent,
            PaginationConfig={"PageSize": limit + bool(before)},
            **projection,
        )
        items = (from_item(item) for page in pages for item in page["Items"])
        return (item for item in items if item["item"] != prefix + before)


def _bucket(counter: dict[str, Any]) -> str:
    return str(counter["bucket"])


def _entry(item: dict[str, Any]) -> LedgerEntry:
    sent_at = item.get("sent_at")
    return LedgerEntry(
        key=item["item"].removeprefix(LEDGER_PREFIX),
        kind=LedgerKind(item["kind"]),
        bucket=item["bucket"],
        timestamp=datetime.fromisoformat(item["timestamp"]),
        counted=item["counted"],
        message_id=item.get("message_id"),
        reason=item.get("reason"),
        recipients=tuple(item["recipients"]),
        sent_at=datetime.fromisoformat(sent_at) if sent_at else None,
    )
