"""The webhooks table: all that the pipeline must know of an instance, in one partition.

    instance_id | item            |
    ------------+-----------------+---------------------------------------------------------------------------------
    <instance>  | instance        | notifications (bool): whether events are fanned out
                |                 | baseline (ISO 8601, optional): mail sent before it no longer counts
    <instance>  | webhook#<id>    | url (without userinfo), events, format, scope, senders, bindings,
                |                 | sealed (KMS ciphertext of the secret and the userinfo), and the webhook's health

The broker makes and removes the items, feedback reads them, delivery writes a webhook's health.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import Key

from lambdas.domain.webhook import EventKind, NotificationFormat, Scope, Webhook, WebhookId

if TYPE_CHECKING:
    from types_boto3_dynamodb.service_resource import Table

INSTANCE_ITEM = "instance"
WEBHOOK_PREFIX = "webhook#"


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Who is told of an instance's events. `webhooks` is empty while notifications are off."""

    instance_id: str
    webhooks: tuple[Webhook, ...]
    baseline: datetime | None


class WebhookTable:
    """Reads an instance's audience."""

    def __init__(self, table: "Table") -> None:
        self._table = table

    def audience(self, instance_id: str) -> Audience | None:
        """Who is told of an instance's events; None when there is no such instance."""
        items: list[dict[str, Any]] = []
        page = self._table.query(KeyConditionExpression=Key("instance_id").eq(instance_id))
        items += page["Items"]
        while "LastEvaluatedKey" in page:
            page = self._table.query(
                KeyConditionExpression=Key("instance_id").eq(instance_id), ExclusiveStartKey=page["LastEvaluatedKey"]
            )
            items += page["Items"]
        instance = next((item for item in items if item["item"] == INSTANCE_ITEM), None)
        if instance is None:
            return None
        webhooks = tuple(_webhook(item) for item in items if item["item"].startswith(WEBHOOK_PREFIX))
        baseline = instance.get("baseline")
        return Audience(
            instance_id=instance_id,
            webhooks=webhooks if instance["notifications"] else (),
            baseline=datetime.fromisoformat(baseline) if baseline else None,
        )


def webhook_key(instance_id: str, webhook_id: WebhookId) -> dict[str, str]:
    """The primary key of a webhook's item."""
    return {"instance_id": instance_id, "item": WEBHOOK_PREFIX + webhook_id}


def instance_key(instance_id: str) -> dict[str, str]:
    """The primary key of an instance's item."""
    return {"instance_id": instance_id, "item": INSTANCE_ITEM}


def _webhook(item: dict[str, Any]) -> Webhook:
    return Webhook(
        id=WebhookId(item["item"].removeprefix(WEBHOOK_PREFIX)),
        instance_id=item["instance_id"],
        events=frozenset(map(EventKind, item["events"])),
        format=NotificationFormat(item["format"]),
        scope=Scope(item["scope"]),
        senders=frozenset(item["senders"]),
    )
