"""The ledger in the reputation table: bounces and complaints counted exactly once, deliveries approximately.

    instance_id | item                          |
    ------------+-------------------------------+-------------------------------------------------------------
    <instance>  | ledger#<feedbackId>#<id>      | kind, bucket, timestamp, counted, message_id, reason,
                |                               | recipients, sent_at: one bounce or complaint that counted
    <instance>  | feedback#2026-11-21T04        | bounces, complaints (numbers)
    <instance>  | deliveries#2026-11-21T04      | deliveries (number)

An entry and its counter are written in one transaction, on condition that the entry does not exist. Idempotent: a
retry after a crash finds the entries and adds nothing. Deliveries are most of the volume and only lower a rate. So
they are a plain addition in separate items, which neither conflicts with transactions nor triggers an evaluation.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lambdas.aws.dynamodb.attribute_values import to_item
from lambdas.domain.reputation.ledger import COUNTERS_KEPT, LEDGER_KEPT, LedgerEntry, LedgerKind, hour_of

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

LEDGER_PREFIX = "ledger#"
FEEDBACK_PREFIX = "feedback#"
DELIVERIES_PREFIX = "deliveries#"

_ENTRIES = 99  # and one counter: DynamoDB takes 100 actions in a transaction
_WAITS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)  # s, between attempts when others write the same counter
_THERE = "ConditionalCheckFailed"
_PASSING = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})


class LedgerContended(Exception):
    """Others wrote the same counter for longer than the wait allows; this transaction wrote nothing."""


class Ledger:
    """Writes what counts. *pause* sleeps a number of seconds; *chance* (0 to 1) spreads concurrent writers' retries."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table_name: str,
        *,
        pause: Callable[[float], object] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._pause = pause
        self._chance = chance

    def add(self, instance_id: str, entries: Sequence[LedgerEntry]) -> frozenset[str]:
        """Count each of *entries* unless it was counted before; returns the keys of the new ones.

        Raises LedgerContended or botocore's errors. Some of the transactions may then be committed; adding all
        entries again completes the rest.
        """
        added: set[str] = set()
        for transaction in _transactions(entries):
            added |= self._commit(instance_id, transaction)
        return frozenset(added)

    def add_deliveries(self, instance_id: str, sums: Mapping[str, int]) -> None:
        """Add to the deliveries of each bucket. Not idempotent: a repetition can only lower a rate."""
        for bucket, count in sums.items():
            self._client.update_item(
                TableName=self._table_name,
                Key=to_item({"instance_id": instance_id, "item": DELIVERIES_PREFIX + bucket}),
                UpdateExpression="ADD deliveries :count SET expires_at = :expires_at",
                ExpressionAttributeValues=to_item({":count": count, ":expires_at": _expiry(bucket, COUNTERS_KEPT)}),
            )

    def _commit(self, instance_id: str, entries: Mapping[str, LedgerEntry]) -> set[str]:
        """Commit one transaction, without the entries that already exist."""
        left = dict(entries)
        for wait in (*_WAITS, None):
            while left:
                reasons = self._write(instance_id, left)
                if reasons is None:
                    return set(left)
                there = [key for key, reason in zip(left, reasons, strict=False) if reason == _THERE]
                if not there:
                    break
                for key in there:
                    del left[key]
            if not left:
                return set()
            if wait is not None:
                self._pause(wait * (0.5 + self._chance()))
        raise LedgerContended(instance_id)

    def _write(self, instance_id: str, entries: Mapping[str, LedgerEntry]) -> list[str] | None:
        """None if all was written, else the reason for each entry (and the counter)."""
        try:
            self._client.transact_write_items(TransactItems=list(self._actions(instance_id, entries)))
        except ClientError as error:
            if error.response["Error"]["Code"] != "TransactionCanceledException":
                raise
            reasons = _reasons(error)
            if not {_THERE, *_PASSING} & set(reasons):
                raise
            return reasons
        return None

    def _actions(self, instance_id: str, entries: Mapping[str, LedgerEntry]) -> "Iterator[TransactWriteItemTypeDef]":
        for entry in entries.values():
            yield {
                "Put": {
                    "TableName": self._table_name,
                    "Item": to_item(_item(instance_id, entry)),
                    "ConditionExpression": "attribute_not_exists(instance_id)",
                }
            }
        bucket = next(iter(entries.values())).bucket
        yield {
            "Update": {
                "TableName": self._table_name,
                "Key": to_item({"instance_id": instance_id, "item": FEEDBACK_PREFIX + bucket}),
                "UpdateExpression": "ADD bounces :bounces, complaints :complaints SET expires_at = :expires_at",
                "ExpressionAttributeValues": to_item(
                    {
                        ":bounces": _sum(entries, LedgerKind.BOUNCE),
                        ":complaints": _sum(entries, LedgerKind.COMPLAINT),
                        ":expires_at": _expiry(bucket, COUNTERS_KEPT),
                    }
                ),
            }
        }


def _transactions(entries: Sequence[LedgerEntry]) -> Iterator[dict[str, LedgerEntry]]:
    """The entries of each counter, without duplicates, in groups that a transaction takes."""
    by_bucket: dict[str, dict[str, LedgerEntry]] = {}
    for entry in entries:
        by_bucket.setdefault(entry.bucket, {}).setdefault(entry.key, entry)
    for unique in by_bucket.values():
        remaining = iter(unique.items())
        while chunk := dict(islice(remaining, _ENTRIES)):
            yield chunk


def _item(instance_id: str, entry: LedgerEntry) -> dict[str, Any]:
    return {
        "instance_id": instance_id,
        "item": LEDGER_PREFIX + entry.key,
        "kind": entry.kind.value,
        "bucket": entry.bucket,
        "timestamp": entry.timestamp.isoformat(),
        "counted": entry.counted,
        "message_id": entry.message_id,
        "reason": entry.reason,
        "recipients": list(entry.recipients),
        "sent_at": entry.sent_at.isoformat() if entry.sent_at else None,
        "expires_at": int((entry.timestamp + LEDGER_KEPT).timestamp()),
    }


def _sum(entries: Mapping[str, LedgerEntry], kind: LedgerKind) -> int:
    return sum(entry.counted for entry in entries.values() if entry.kind is kind)


def _expiry(bucket: str, kept: timedelta) -> int:
    return int((hour_of(bucket) + kept).timestamp())


def _reasons(error: ClientError) -> list[str]:
    reasons: Any = error.response.get("CancellationReasons", [])
    return [str(reason.get("Code", "None")) for reason in reasons]
