"""What the delivery function needs from outside; `composition.py` connects the adapters."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from lambdas.domain.ports import DelayedSender, Notifier
from lambdas.domain.webhooks.backlog import Parked, Partition
from lambdas.domain.webhooks.delivery import DeliveryBatch
from lambdas.domain.webhooks.health import Health, HealthRules
from lambdas.domain.webhooks.retry_schedule import RetrySchedule
from lambdas.domain.webhooks.signature import WebhookSecret
from lambdas.domain.webhooks.target import Target
from lambdas.domain.webhooks.webhook import WebhookId

Key = tuple[str, WebhookId]  # instance id, webhook id
Clock = Callable[[], datetime]
Jitter = Callable[[], float]  # a number from -1 to 1: the place in a wait's jitter
Count = Callable[[str, int], None]  # a metric's name, and by how much


@dataclass(frozen=True, slots=True, kw_only=True)
class Queues:
    """The deliveries queue, and that of webhooks that answer slowly or must prove themselves."""

    prompt: DelayedSender
    slow: DelayedSender


class Decrypt(Protocol):
    """Decrypts webhooks' secrets."""

    def __call__(self, webhook_id: WebhookId, ciphertext: bytes, /) -> WebhookSecret:
        """A webhook's secret."""
        ...

    def ahead(self, secrets: Iterable[tuple[WebhookId, bytes]], /) -> None:
        """Decrypt many together, because they will be needed. Never raises."""
        ...


class WebhookHealthStore(Protocol):
    """Webhooks and their health."""

    def load(self, keys: Iterable[Key], *, now: datetime, fresh: bool = False) -> dict[Key, Target]:
        """The webhooks of *keys* that still are, as of some seconds ago, or *fresh*."""
        ...

    def change(self, target: Target, change: Callable[[Health], Health]) -> tuple[Health, Health] | None:
        """Change a webhook's health; before and after, or None when the webhook is gone."""
        ...


class Tests(Protocol):
    """Where a webhook's tests are noted."""

    def note_test(self, target: Target, *, status: str, now: datetime, delivery: str = "", answer: str = "") -> None:
        """Write how a test went."""
        ...


class Backlog(Protocol):
    """Where deliveries wait."""

    def park(self, entries: Iterable[tuple[DeliveryBatch, datetime]], *, now: datetime) -> None:
        """Park batches, each until its own time."""
        ...

    def waiting(self, instance_id: str, webhook_id: WebhookId) -> int:
        """About how many deliveries wait for a webhook."""
        ...

    def wake(self, instance_id: str, webhook_id: WebhookId, *, now: datetime) -> None:
        """Have release look at all that waits for a webhook."""
        ...


class Archive(Protocol):
    """Where delivered batches are kept for replay."""

    def keep(self, batches: Iterable[DeliveryBatch], *, now: datetime) -> int:
        """Keep batches; how many could not be."""
        ...


class ParkedDeliveries(Protocol):
    """The backlog, from the side that empties it."""

    def marked(self) -> Iterator[tuple[Partition, datetime]]:
        """Every partition that holds something, with the time at which its first item is due."""
        ...

    def due(self, *, now: datetime) -> Iterator[Partition]:
        """The partitions with something due."""
        ...

    def read(
        self, partition: Partition, *, until: datetime | None = None, after: str = "", limit: int = 1000
    ) -> list[Parked]:
        """A partition's parked items, soonest due first."""
        ...

    def remove(self, parked: Iterable[Parked]) -> None:
        """Take items out that were not parked again since."""
        ...

    def quarantine(self, parked: Parked) -> None:
        """Move an unreadable item out of the way."""
        ...

    def rest(self, partition: Partition, *, until: datetime | None) -> bool:
        """Clear or move the partition's mark unless something was parked since."""
        ...


class BindingTopics(Notifier, Protocol):
    """The bindings' SNS topics."""

    def has_confirmed_subscription(self, topic_arn: str) -> bool:
        """Whether anyone confirmed a subscription."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRules:
    """The periods of delivery, s: `release_every`, and what an attempt may take."""

    retry_schedule: RetrySchedule
    health: HealthRules
    release_every: float
    attempt_seconds: float
