"""The broker's side of the webhooks table (see webhook_table): creates, changes and removes items."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lambdas.aws.dynamodb.attribute_values import from_item, new_item, to_attribute, to_item
from lambdas.aws.dynamodb.webhooks.webhook_table import WEBHOOK_PREFIX, instance_key, webhook_key
from lambdas.aws.errors import code, ignoring
from lambdas.domain import schema
from lambdas.domain.errors import VersionConflict
from lambdas.domain.reputation.ledger import COUNTERS_KEPT
from lambdas.domain.tenants.instance import WebhookSettings
from lambdas.domain.webhooks.stored_webhook import StoredWebhook
from lambdas.domain.webhooks.webhook import EventKind, NotificationFormat, Scope, WebhookId

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_CONDITION = "ConditionalCheckFailedException"
_TRIES = 5  # of a read and a conditional write, when bindings join and leave at the same moment


class WebhookContended(Exception):
    """Others changed the webhook at each attempt."""


class WebhookItems:
    """Writes an instance's and its webhooks' items."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def set_notifications(
        self, instance_id: str, *, enabled: bool, domain: str, organization: str, created_at: datetime | None = None
    ) -> None:
        """Set whether the instance's events are fanned out, and its attributes; creates its item, or revives a deleted
        one.

        *created_at* is given for a new instance; a repetition keeps the first. Attributes that others wrote are kept.
        """
        values = _instance(domain, organization, notifications=enabled)
        created = {":created_at": created_at.isoformat()} if created_at else {}
        expression = _SET_INSTANCE + (", created_at = if_not_exists(created_at, :created_at)" if created else "")
        self._set_instance(instance_id, expression + " REMOVE deleted_at, expires_at", values | created)

    def retire_instance(self, instance_id: str, *, domain: str, organization: str, now: datetime) -> None:
        """Remove the instance's webhooks. Its own item stays as long as its counters, for events still in flight."""
        values = _instance(domain, organization, notifications=False)
        values |= {":now": now.isoformat(), ":expires_at": int((now + COUNTERS_KEPT).timestamp())}
        expression = _SET_INSTANCE + ", deleted_at = :now, expires_at = :expires_at REMOVE created_at"
        self._set_instance(instance_id, expression, values)
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="instance_id = :instance AND begins_with(#item, :webhook)",
            ExpressionAttributeValues=to_item({":instance": instance_id, ":webhook": WEBHOOK_PREFIX}),
            ExpressionAttributeNames={"#item": "item"},
            ProjectionExpression="instance_id, #item",
            ConsistentRead=True,  # otherwise a webhook written a moment ago would remain forever
        )
        for page in pages:
            for key in page["Items"]:
                self._client.delete_item(TableName=self._table, Key=key)

    def _set_instance(self, instance_id: str, expression: str, values: dict[str, object]) -> None:
        with self._refusing_newer(instance_key(instance_id)):
            self._client.update_item(
                TableName=self._table,
                Key=to_item(instance_key(instance_id)),
                UpdateExpression=expression,
                ConditionExpression=_NOT_NEWER,
                ExpressionAttributeNames={"#domain": "domain", **_SCHEMA_NAME},
                ExpressionAttributeValues={**to_item({**values, ":schema": schema.WRITES}), **_READS},
            )

    @contextmanager
    def _refusing_newer(self, key: dict[str, str]) -> Iterator[None]:
        """Ignore a failed condition, unless a later release wrote the item: raises NewerSchema then."""
        try:
            yield
        except ClientError as error:
            if code(error) != _CONDITION:
                raise
            self._read(key)

    def get(self, instance_id: str, webhook_id: str) -> StoredWebhook | None:
        """The webhook; None if it does not exist."""
        item = self._item(instance_id, webhook_id)
        return None if item is None else _kept(item)

    def put(self, instance_id: str, webhook_id: str, settings: WebhookSettings, *, binding_id: str) -> None:
        """Create the webhook for one binding. Replaces one that an interrupted bind left: its secret was never
        returned.
        """
        key = webhook_key(instance_id, WebhookId(webhook_id))
        item = {**key, **_fields(settings), "bindings": [binding_id], "senders": [binding_id], "version": 1}
        with self._refusing_newer(key):
            self._client.put_item(
                TableName=self._table,
                Item=new_item(item),
                ConditionExpression=_NOT_NEWER,
                ExpressionAttributeNames=_SCHEMA_NAME,
                ExpressionAttributeValues=_READS,
            )
        self._next_generation(instance_id)

    def join(self, instance_id: str, webhook_id: str, binding_id: str) -> bool:
        """Add the binding to the webhook; False if the webhook does not exist. Idempotent."""
        there = self._join(instance_id, webhook_id, binding_id)
        self._next_generation(instance_id)
        return there

    def _join(self, instance_id: str, webhook_id: str, binding_id: str) -> bool:
        try:
            self._client.update_item(
                TableName=self._table,
                Key=self._key(instance_id, webhook_id),
                UpdateExpression="SET bindings = list_append(bindings, :one), senders = list_append(senders, :one)",
                ConditionExpression=(
                    f"attribute_exists(instance_id) AND NOT contains(bindings, :binding) AND {_NOT_NEWER}"
                ),
                ExpressionAttributeNames=_SCHEMA_NAME,
                ExpressionAttributeValues={**to_item({":one": [binding_id], ":binding": binding_id}), **_READS},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != _CONDITION:
                raise
            return self._item(instance_id, webhook_id) is not None
        return True

    def replace_secret(
        self, instance_id: str, webhook_id: str, *, before: bytes, after: bytes, until: datetime, now: datetime
    ) -> bool:
        """Sign with *after*, and with *before* too until *until*. False if it changed, or an earlier secret still
        signs.
        """
        try:
            self._client.update_item(
                TableName=self._table,
                Key=self._key(instance_id, webhook_id),
                UpdateExpression="SET ciphertext = :after, previous_ciphertext = :before, previous_expires_at = :until",
                ConditionExpression=(
                    "ciphertext = :before AND "
                    "(attribute_not_exists(previous_expires_at) OR previous_expires_at <= :now)"
                ),
                ExpressionAttributeValues=to_item(
                    {":after": after, ":before": before, ":until": until.isoformat(), ":now": now.isoformat()}
                ),
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != _CONDITION:
                raise
            return False
        return True

    def leave(self, instance_id: str, webhook_id: str, binding_id: str) -> bool:
        """Remove the binding from the webhook, and the webhook with its last binding; True if it is removed.
        Idempotent.
        """
        gone = self._try_to_leave(instance_id, webhook_id, binding_id)
        self._next_generation(instance_id)
        return gone

    def _try_to_leave(self, instance_id: str, webhook_id: str, binding_id: str) -> bool:
        for _ in range(_TRIES):
            item = self._item(instance_id, webhook_id)
            if item is None:
                return True
            left = [other for other in item["bindings"] if other != binding_id]
            if self._leave(instance_id, webhook_id, before=item["bindings"], left=left):
                return not left
        raise WebhookContended(webhook_id)

    def _leave(self, instance_id: str, webhook_id: str, *, before: list[str], left: list[str]) -> bool:
        key = self._key(instance_id, webhook_id)
        values = to_item({":before": before})
        try:
            if left:
                self._client.update_item(
                    TableName=self._table,
                    Key=key,
                    UpdateExpression="SET bindings = :left",
                    ConditionExpression="bindings = :before",
                    ExpressionAttributeValues={**values, ":left": to_attribute(left)},
                )
            else:
                self._client.delete_item(
                    TableName=self._table,
                    Key=key,
                    ConditionExpression="bindings = :before",
                    ExpressionAttributeValues=values,
                )
        except ClientError as error:
            if error.response["Error"]["Code"] != _CONDITION:
                raise
            return False
        return True

    def change(self, instance_id: str, webhook_id: str, settings: WebhookSettings, *, before: bytes) -> None:
        """Change the webhook's settings; a deleted webhook stays deleted.

        Its version increases, because delivery's copy and the result of its last test are out of date. Raises
        VersionConflict if its ciphertext is not *before* any more: its secret was replaced, and must not be undone.
        """
        fields = _fields(settings)
        names = {f"#{name}": name for name in fields}
        values = {f":{name}": value for name, value in fields.items()} | {":one": 1, ":before": before}
        try:
            self._client.update_item(
                TableName=self._table,
                Key=self._key(instance_id, webhook_id),
                UpdateExpression="SET "
                + ", ".join(f"#{name} = :{name}" for name in fields)
                + " REMOVE test_result ADD #version :one",
                ConditionExpression=f"ciphertext = :before AND {_NOT_NEWER}",
                ExpressionAttributeNames={**names, "#version": "version", **_SCHEMA_NAME},
                ExpressionAttributeValues={**to_item(values), **_READS},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            if self._item(instance_id, webhook_id) is not None:
                raise VersionConflict(webhook_id) from None
        self._next_generation(instance_id)

    def _next_generation(self, instance_id: str) -> None:
        """Have the feedback functions read the instance's webhooks again; see webhooks/audiences.py."""
        with ignoring(_CONDITION):
            self._client.update_item(
                TableName=self._table,
                Key=to_item(instance_key(instance_id)),
                UpdateExpression="SET generation = :generation",
                ConditionExpression="attribute_exists(instance_id)",
                ExpressionAttributeValues=to_item({":generation": _new_generation()}),
            )

    def _key(self, instance_id: str, webhook_id: str) -> Any:
        return to_item(webhook_key(instance_id, WebhookId(webhook_id)))

    def _item(self, instance_id: str, webhook_id: str) -> dict[str, Any] | None:
        return self._read(webhook_key(instance_id, WebhookId(webhook_id)))

    def _read(self, key: dict[str, str]) -> dict[str, Any] | None:
        answer = self._client.get_item(TableName=self._table, Key=to_item(key), ConsistentRead=True)
        return from_item(answer["Item"]) if "Item" in answer else None


_READS = to_item({":reads": schema.READS})
_SCHEMA_NAME = {"#schema": schema.ATTRIBUTE}
_NOT_NEWER = "(attribute_not_exists(#schema) OR #schema <= :reads)"
_SET_INSTANCE = (
    "SET notifications = :notifications, generation = :generation, #domain = :domain, organization = :organization, "
    "#schema = :schema"
)


def _instance(domain: str, organization: str, *, notifications: bool) -> dict[str, object]:
    return {
        ":notifications": notifications,
        ":generation": _new_generation(),
        ":domain": domain,
        ":organization": organization,
    }


def _new_generation() -> str:
    """A generation that never existed, not even for an earlier, deleted instance with the same id."""
    return secrets.token_hex(8)


def _fields(settings: WebhookSettings) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "url": settings.url,
        "events": [event.value for event in settings.events],
        "format": settings.format.value,
        "scope": settings.scope.value,
        "batch": settings.batch,
        "batch_seconds": settings.batch_seconds,
    }
    return {**fields, "ciphertext": settings.ciphertext} if settings.ciphertext else fields


def _kept(item: dict[str, Any]) -> StoredWebhook:
    test = item.get("test_result") or {}
    return StoredWebhook(
        settings=WebhookSettings(
            url=item["url"],
            events=tuple(EventKind(event) for event in item["events"]),
            format=NotificationFormat(item["format"]),
            scope=Scope(item["scope"]),
            batch=int(item.get("batch", 1)),
            batch_seconds=int(item.get("batch_seconds", 0)),
            ciphertext=item.get("ciphertext", b""),
        ),
        bindings=tuple(item["bindings"]),
        test_status=test.get("status"),
        test_at=test.get("at"),
    )
