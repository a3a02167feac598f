"""Parked deliveries, as release and replay read them from the backlog.

A webhook's backlog is split into shards, one table partition each; see lambdas/aws/dynamodb/backlog/backlog.py.
"""

from dataclasses import dataclass
from datetime import datetime

from lambdas.domain.webhooks.delivery import DeliveryBatch
from lambdas.domain.webhooks.webhook import WebhookId


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """One shard of a webhook's backlog. `seq` is the sequence value of its mark when it was read, `waiting` a count."""

    instance_id: str
    webhook_id: WebhookId
    shard: int
    seq: str
    waiting: int

    @property
    def pk(self) -> str:
        """The partition key."""
        return partition_key(self.instance_id, self.webhook_id, self.shard)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """A parked item. `batch` is None if its payload cannot be decoded."""

    partition: Partition
    sk: str
    token: str
    due: datetime
    parked_at: datetime
    count: int
    batch: DeliveryBatch | None


def partition_key(instance_id: str, webhook_id: WebhookId, shard: int) -> str:
    """The partition key of one shard. Ids never contain `#`."""
    return f"{instance_id}#{webhook_id}#{shard}"
