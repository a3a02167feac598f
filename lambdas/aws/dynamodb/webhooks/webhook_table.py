"""The webhooks table: all that the pipeline must know of an instance, in one partition.

    instance_id | item            |
    ------------+-----------------+---------------------------------------------------------------------------------
    <instance>  | instance        | notifications (bool): whether events are fanned out
                |                 | baseline (ISO 8601, optional): mail sent before it no longer counts
                |                 | generation: a new one after each change the broker makes here
                | domain, organization, created_at (ISO 8601): for the reputation functions
                | deleted_at (ISO 8601) and expires_at, once it is deprovisioned: events in flight still count
    <instance>  | webhook#<id>    | url (without userinfo), events, format, scope, batch, batch_seconds, senders,
                |                 | bindings, ciphertext (its secret and userinfo, by KMS), and the webhook's health

A binding's `notification_email` is a webhook item too, with id `email-<binding id>`, format `email`, url
`arn:...:sns:...` (the binding's topic, names.notification_topic) and no `ciphertext`; unless the bind says otherwise
its
events are bounce and complaint. Fan-out treats it as any webhook (the body is readable text); delivery gathers digests.

The broker makes and removes the items, feedback reads them, delivery writes a webhook's `health` (a map, absent:
healthy and never failed) and `test_result` (a map: status, at, delivery, answer). Only delivery's adapter,
lambdas/aws/dynamodb/webhooks/webhook_states.py, knows their form. The broker adds 1 to `version` whenever the url
changes. `ops webhooks
rotate` keeps the old secret for 24 hours in `previous_ciphertext`, with its end in `previous_expires_at` (ISO 8601).
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from lambdas.aws.dynamodb.attribute_values import from_item
from lambdas.domain import schema
from lambdas.domain.webhooks.audience import Audience
from lambdas.domain.webhooks.webhook import EventKind, NotificationFormat, Scope, Webhook, WebhookId

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

INSTANCE_ITEM = "instance"
WEBHOOK_PREFIX = "webhook#"
_READ = (  # not the encrypted secrets
    "#item, instance_id, notifications, baseline, #domain, organization, created_at, deleted_at, events, #format, "
    "#scope, senders, #batch, batch_seconds, #schema"
)
_READ_NAMES = {
    "#item": "item",
    "#format": "format",
    "#scope": "scope",
    "#domain": "domain",
    "#batch": "batch",
    "#schema": schema.ATTRIBUTE,
}


class WebhookTable:
    """Reads an instance's audience, as it is now. For those of a whole batch see
    lambdas/aws/dynamodb/webhooks/audiences.py."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._table_name = table_name

    def audience(self, instance_id: str) -> Audience | None:
        """The webhooks of an instance and what each wants; None if there is no such instance."""
        items = self._items(instance_id)
        instance = next((item for item in items if item["item"] == INSTANCE_ITEM), None)
        if instance is None:
            return None
        webhooks = tuple(_webhook(item) for item in items if item["item"].startswith(WEBHOOK_PREFIX))
        return Audience(
            instance_id=instance_id,
            webhooks=webhooks if instance["notifications"] else (),
            baseline=_moment(instance, "baseline"),
            domain=instance.get("domain", ""),
            organization=instance.get("organization", ""),
            deleted="deleted_at" in instance,
            created_at=_moment(instance, "created_at"),
            deleted_at=_moment(instance, "deleted_at"),
        )

    def _items(self, instance_id: str) -> list[dict[str, Any]]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table_name,
            KeyConditionExpression="instance_id = :instance",
            ExpressionAttributeValues={":instance": {"S": instance_id}},
            ExpressionAttributeNames=_READ_NAMES,
            ProjectionExpression=_READ,
            ConsistentRead=True,
        )
        return [from_item(item) for page in pages for item in page["Items"]]


def webhook_key(instance_id: str, webhook_id: WebhookId) -> dict[str, str]:
    """The primary key of a webhook's item."""
    return {"instance_id": instance_id, "item": WEBHOOK_PREFIX + webhook_id}


def instance_key(instance_id: str) -> dict[str, str]:
    """The primary key of an instance's item."""
    return {"instance_id": instance_id, "item": INSTANCE_ITEM}


def _moment(item: dict[str, Any], name: str) -> datetime | None:
    return datetime.fromisoformat(item[name]) if item.get(name) else None


def _webhook(item: dict[str, Any]) -> Webhook:
    return Webhook(
        id=WebhookId(item["item"].removeprefix(WEBHOOK_PREFIX)),
        instance_id=item["instance_id"],
        events=frozenset(map(EventKind, item["events"])),
        format=NotificationFormat(item["format"]),
        scope=Scope(item["scope"]),
        batch=int(item.get("batch", 1)),
        batch_seconds=int(item.get("batch_seconds", 0)),
        senders=frozenset(item["senders"]),
    )
