"""Current audiences of a whole batch in one call.

An instance's item holds a `generation`, a new one after each change the broker makes to it or to its webhooks. One
consistent call reads the generations of all instances of a batch. An instance's webhooks are read again only if its
generation differs from the known one. So a webhook that was bound before an event misses nothing, and a busy
instance costs one call in a hundred. A bind is answered only after the generation is new; a retry after a crash
writes a new generation again.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from lambdas.aws.dynamodb.attribute_values import from_item, to_item
from lambdas.aws.dynamodb.webhooks.webhook_table import WebhookTable, instance_key
from lambdas.domain.webhooks.audience import Audience
from lambdas.domain.webhooks.webhook import Webhook

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

KEPT_AT_MOST = 20_000  # instances a process: about 1 KB each
_KEYS = 100  # that BatchGetItem takes
_TRIES = 5  # of keys that DynamoDB left unread, as it may when it is busy


class Unread(Exception):
    """DynamoDB left keys unread at each attempt. SQS redelivers the batch."""


class Audiences:
    """Reads the audiences of batches, and caches webhooks until their generation changes."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._table_name = table_name
        self._table = WebhookTable(client, table_name)
        self._kept: OrderedDict[str, tuple[str, tuple[Webhook, ...]]] = OrderedDict()

    def of(self, instance_ids: Sequence[str]) -> Callable[[str], Audience | None]:
        """The audience of each of *instance_ids*; None for an instance that does not exist. Raises Unread."""
        instances = self._instances(instance_ids)

        def audience(instance_id: str) -> Audience | None:
            instance = instances.get(instance_id)
            return None if instance is None else self._audience(instance_id, instance)

        return audience

    def _audience(self, instance_id: str, instance: dict[str, Any]) -> Audience | None:
        baseline = instance.get("baseline")
        return Audience(
            instance_id=instance_id,
            webhooks=self._webhooks(instance_id, instance.get("generation", "")) if instance["notifications"] else (),
            baseline=datetime.fromisoformat(baseline) if baseline else None,
        )

    def _webhooks(self, instance_id: str, generation: str) -> tuple[Webhook, ...]:
        """Webhooks are read after the generation, so they are never older than it. If they are newer, they are read
        once more.
        """
        kept = self._kept.pop(instance_id, None)
        if kept is None or kept[0] != generation:
            audience = self._table.audience(instance_id)
            kept = (generation, audience.webhooks if audience else ())
        self._kept[instance_id] = kept
        if len(self._kept) > KEPT_AT_MOST:
            self._kept.popitem(last=False)
        return kept[1]

    def _instances(self, instance_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        remaining = iter(instance_ids)
        found: dict[str, dict[str, Any]] = {}
        while chunk := list(islice(remaining, _KEYS)):
            found |= {item["instance_id"]: item for item in self._read(chunk)}
        return found

    def _read(self, instance_ids: Sequence[str]) -> list[dict[str, Any]]:
        keys: Any = {"Keys": [to_item(instance_key(name)) for name in instance_ids], "ConsistentRead": True}
        unread: Any = {self._table_name: keys}
        items: list[dict[str, Any]] = []
        for _ in range(_TRIES):
            answer = self._client.batch_get_item(RequestItems=unread)
            items += map(from_item, answer["Responses"].get(self._table_name, []))
            unread = answer.get("UnprocessedKeys")
            if not unread:
                return items
        raise Unread(f"{len(unread[self._table_name]['Keys'])} instances")
