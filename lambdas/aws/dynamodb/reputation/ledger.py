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

The deliveries of a batch of many instances are added 25 instances a call, by PartiQL: an UpdateItem costs a process
0.75 to 1 ms of CPU in botocore, a statement among 25 costs 0.05 (docs/decisions/0302-cost-of-recording.md). A PartiQL
UPDATE does not create an item, so a counter's first addition by a process is an UpdateItem.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.aws.dynamodb.attribute_values import new_item, to_item
from lambdas.domain.ports import Runner
from lambdas.domain.reputation.ledger import COUNTERS_KEPT, LEDGER_KEPT, LedgerEntry, LedgerKind, hour_of

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import BatchStatementRequestTypeDef, TransactWriteItemTypeDef

LEDGER_PREFIX = "ledger#"
FEEDBACK_PREFIX = "feedback#"
DELIVERIES_PREFIX = "deliveries#"

_ENTRIES = 99  # and one counter: DynamoDB takes 100 actions in a transaction
_WAITS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)  # s, between attempts when others write the same counter
_THERE = "ConditionalCheckFailed"
_PASSING = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
_STATEMENTS = 25  # of one BatchExecuteStatement
_REMEMBERED = 100_000  # counters that a process knows to exist, of 10,000 instances and several hours: about 20 MB


class _Sum(NamedTuple):
    """Deliveries to add to the counter of an instance and bucket."""

    instance_id: str
    bucket: str
    delivered: int


class LedgerContended(Exception):
    """Others wrote the same counter for longer than the wait allows; this transaction wrote nothing."""


class Ledger:
    """Writes what counts.

    *pause* sleeps a number of seconds; *chance* (0 to 1) spreads concurrent writers' retries. *run* makes calls for
    different instances, concurrently where a thread pool's `map` is given.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table_name: str,
        *,
        pause: Callable[[float], object] = time.sleep,
        chance: Callable[[], float] = random.random,
        run: Runner = map,
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._pause = pause
        self._chance = chance
        self._run = run
        self._update = (
            f'UPDATE "{table_name}" SET "deliveries" = "deliveries" + ? WHERE "instance_id" = ? AND "item" = ?'  # noqa: S608  # the name is a setting
        )
        self._existing: set[tuple[str, str]] = set()  # counters that this process added to

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
            self._existing.add((instance_id, bucket))

    def add_all_deliveries(self, sums: Mapping[str, Mapping[str, int]]) -> dict[str, Exception]:
        """Add to the deliveries of each instance's buckets; returns the error of each instance that failed.

        Not idempotent, like `add_deliveries`. An instance that is not in the answer is counted completely.
        """
        if len(self._existing) > _REMEMBERED:
            self._existing.clear()
        counters = [_Sum(name, bucket, delivered) for name, own in sums.items() for bucket, delivered in own.items()]
        existing = [one for one in counters if one[:2] in self._existing]
        alone = [one for one in counters if one[:2] not in self._existing]
        for refused in self._run(self._add_together, _chunks(existing)):
            alone += refused
        failed = zip(alone, self._run(self._add_alone, alone), strict=True)
        return {one.instance_id: error for one, error in failed if error is not None}

    def _add_together(self, sums: Sequence[_Sum]) -> Sequence[_Sum]:
        """Add to existing counters in one call; returns those that must be added alone.

        DynamoDB refuses a statement if TTL or a deletion removed its item, or if it throttles.
        """
        if len(sums) == 1:
            return sums
        try:
            answer = self._client.batch_execute_statement(Statements=[self._statement(one) for one in sums])
        except (ClientError, BotoCoreError):
            return sums
        refused = [one for one, response in zip(sums, answer["Responses"], strict=True) if "Error" in response]
        self._existing.difference_update(one[:2] for one in refused)
        return refused

    def _add_alone(self, one: _Sum) -> Exception | None:
        try:
            self.add_deliveries(one.instance_id, {one.bucket: one.delivered})
        except (ClientError, BotoCoreError) as error:
            return error
        return None

    def _statement(self, one: _Sum) -> "BatchStatementRequestTypeDef":
        return {
            "Statement": self._update,
            "Parameters": [{"N": str(one.delivered)}, {"S": one.instance_id}, {"S": DELIVERIES_PREFIX + one.bucket}],
        }

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
                    "Item": new_item(_item(instance_id, entry)),
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


def _chunks(sums: Iterable[_Sum]) -> Iterator[Sequence[_Sum]]:
    remaining = iter(sums)
    while chunk := list(islice(remaining, _STATEMENTS)):
        yield chunk


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
