"""Delivery's side of the webhooks table: a webhook with its health, and the result of its last test.

`health` is one map. It is written as a whole, on condition that its number `record` is unchanged since it was read.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from lambdas.aws.dynamodb.attribute_values import from_item, to_attribute, to_item
from lambdas.aws.dynamodb.webhooks.webhook_table import WEBHOOK_PREFIX, webhook_key
from lambdas.domain import schema
from lambdas.domain.webhooks.health import Health
from lambdas.domain.webhooks.target import Target
from lambdas.domain.webhooks.webhook import NotificationFormat, WebhookId

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

Key = tuple[str, WebhookId]  # instance id, webhook id

KEPT_FOR = timedelta(seconds=2)  # how stale a webhook may be: until other processes learn that it hangs, it delays them
_PAGE = 100  # keys that one BatchGetItem takes
_READ = (  # what delivery needs of an item: botocore takes 30 us of CPU for each attribute
    "instance_id",
    "item",
    "url",
    "format",
    "batch",
    "batch_seconds",
    "version",
    "ciphertext",
    "previous_ciphertext",
    "previous_expires_at",
    "health",
    schema.ATTRIBUTE,  # so that what a later release wrote is refused
)
_NAMES = {f"#{number}": name for number, name in enumerate(_READ)}  # some are words of DynamoDB's own
_MAX_ROUNDS = 5  # of BatchGetItem for keys it left unread
_MAX_CHANGES = 5  # attempts to change a health that others change too
_UNCHANGED = "attribute_exists(instance_id) AND (attribute_not_exists(health.#record) OR health.#record = :record)"


class WebhookUnread(Exception):
    """DynamoDB did not return the webhooks: retry the messages."""


class HealthContended(Exception):
    """Others changed a webhook's health at each attempt."""


class WebhookStates:
    """Reads webhooks with their health, caching each for KEPT_FOR, and changes their health."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._table_name = table_name
        self._kept: dict[Key, tuple[datetime, Target]] = {}

    def load(self, keys: Iterable[Key], *, now: datetime, fresh: bool = False) -> dict[Key, Target]:
        """The webhooks of *keys*, at most KEPT_FOR old, or *fresh*; deleted ones are missing.

        A missing webhook is read a second time, consistently, and its absence is not cached: a message may arrive a
        moment after its webhook was created. Raises WebhookUnread.
        """
        self._kept = {key: kept for key, kept in self._kept.items() if now - kept[0] < KEPT_FOR and not fresh}
        wanted = list(dict.fromkeys(keys))
        for consistent in (fresh, True):
            unknown = (key for key in wanted if key not in self._kept)
            while page := list(islice(unknown, _PAGE)):
                for target in self._read(page, consistent):
                    self._kept[target.instance_id, target.webhook_id] = (now, target)
        return {key: self._kept[key][1] for key in wanted if key in self._kept}

    def every(self, instance_id: str | None = None) -> Iterator[tuple[Target, dict[str, Any]]]:
        """All webhooks, or an instance's, each with its whole item. Scans the table: for operators only."""
        if instance_id is None:
            pages: Any = self._client.get_paginator("scan").paginate(TableName=self._table_name)
        else:
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table_name,
                KeyConditionExpression="instance_id = :instance",
                ExpressionAttributeValues=to_item({":instance": instance_id}),
            )
        for page in pages:
            for item in map(from_item, page["Items"]):
                if item["item"].startswith(WEBHOOK_PREFIX):
                    yield _target(item), item

    def change(self, target: Target, change: Callable[[Health], Health]) -> tuple[Health, Health] | None:
        """Change a webhook's health by *change*, which may be called several times.

        Returns the health before and after, equal if there was nothing to write; None if the webhook is deleted.
        Raises HealthContended.
        """
        for _ in range(_MAX_CHANGES):
            before = target.health
            wanted = change(before)
            if wanted == before:
                return before, before
            written = replace(wanted, record=before.record + 1)
            latest = self._write(target, written)
            if latest is None:
                self._remember(replace(target, health=written))
                return before, written
            if not latest.url:
                self._kept.pop((target.instance_id, target.webhook_id), None)
                return None
            target = latest
        raise HealthContended(target.webhook_id)

    def note_test(self, target: Target, *, status: str, now: datetime, delivery: str = "", answer: str = "") -> None:
        """Record the result of the webhook's last test, unless the webhook is deleted.

        *delivery* is the test's webhook-id, *answer* the receiver's answer when it refused (`attempt.excerpt`).
        """
        result = {"status": status, "at": now.isoformat(), "delivery": delivery, "answer": answer}
        try:
            self._client.update_item(
                TableName=self._table_name,
                Key=to_item(webhook_key(target.instance_id, target.webhook_id)),
                UpdateExpression="SET test_result = :result",
                ConditionExpression="attribute_exists(instance_id)",
                ExpressionAttributeValues={
                    ":result": to_attribute({name: fact for name, fact in result.items() if fact})
                },
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return

    def _write(self, target: Target, health: Health) -> Target | None:
        """None if *health* was written, else the webhook as it is now; without a url if it is deleted."""
        try:
            self._client.update_item(
                TableName=self._table_name,
                Key=to_item(webhook_key(target.instance_id, target.webhook_id)),
                UpdateExpression="SET health = :health",
                ConditionExpression=_UNCHANGED,
                ExpressionAttributeNames={"#record": "record"},
                ExpressionAttributeValues=to_item({":health": _health_map(health), ":record": target.health.record}),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as refusal:
            item: Any = refusal.response.get("Item")
            return _target(from_item(item)) if item else replace(target, url="")
        return None

    def _remember(self, target: Target) -> None:
        key = (target.instance_id, target.webhook_id)
        if key in self._kept:
            self._kept[key] = (self._kept[key][0], target)

    def _read(self, page: list[Key], fresh: bool) -> Iterator[Target]:
        keys = [to_item(webhook_key(*key)) for key in page]
        left: Any = {
            self._table_name: {
                "Keys": keys,
                "ConsistentRead": fresh,
                "ProjectionExpression": ", ".join(_NAMES),
                "ExpressionAttributeNames": _NAMES,
            }
        }
        for _ in range(_MAX_ROUNDS):
            answer = self._client.batch_get_item(RequestItems=left)
            yield from (_target(from_item(item)) for item in answer["Responses"].get(self._table_name, []))
            left = answer.get("UnprocessedKeys")
            if not left:
                return
        raise WebhookUnread(f"{len(left[self._table_name]['Keys'])} webhooks were not read")


def _health_map(health: Health) -> dict[str, Any]:
    """Health as plain values. Values that equal their default are left out, so that a healthy webhook's map stays
    small.
    """
    written = msgspec.to_builtins(health, builtin_types=())
    blank = msgspec.to_builtins(Health())
    return {name: value for name, value in written.items() if value != blank[name]}


def _target(item: dict[str, Any]) -> Target:
    until = item.get("previous_expires_at")
    return Target(
        instance_id=item["instance_id"],
        webhook_id=WebhookId(item["item"].removeprefix(WEBHOOK_PREFIX)),
        url=item["url"],
        format=NotificationFormat(item["format"]),
        batch=int(item.get("batch", 1)),
        batch_seconds=int(item.get("batch_seconds", 0)),
        version=int(item.get("version", 0)),
        ciphertext=item.get("ciphertext", b""),
        previous_ciphertext=item.get("previous_ciphertext"),
        previous_expires_at=datetime.fromisoformat(until) if until else None,
        health=msgspec.convert(item.get("health", {}), Health),
    )
