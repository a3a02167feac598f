"""What the portal needs from outside, one interface per adapter; `composition.py` connects them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from lambdas.domain.portal import Action, Link, Replay, Session
from lambdas.domain.ports import HourlyCounters, SendingStatusClaims
from lambdas.domain.reputation.ledger import LedgerEntry
from lambdas.domain.reputation.sending_status import Transition
from lambdas.domain.tenants.instance import Instance
from lambdas.domain.webhooks.backlog import Parked, Partition
from lambdas.domain.webhooks.delivery import DeliveryBatch
from lambdas.domain.webhooks.health import Health
from lambdas.domain.webhooks.signature import WebhookSecret
from lambdas.domain.webhooks.target import Target
from lambdas.domain.webhooks.webhook import WebhookId


class InstanceRegistry(Protocol):
    """The broker's instances."""

    def instances(self) -> Iterator[Instance]:
        """All, without tombstones."""


class Webhooks(Protocol):
    """Webhooks with their health."""

    def every(self, instance_id: str | None = None) -> Iterator[tuple[Target, dict[str, Any]]]:
        """An instance's webhooks, or all, each with its item."""

    def change(self, target: Target, change: Callable[[Health], Health]) -> tuple[Health, Health] | None:
        """Change a webhook's health; before and after, or None if the webhook no longer exists."""


class WebhookSecrets(Protocol):
    """Webhooks' signing secrets."""

    def replace(self, target: Target, *, until: datetime | None) -> WebhookSecret:
        """Returns the new secret; the old one signs too until then. Raises VersionConflict."""


class Baselines(Protocol):
    """The time from which an instance's feedback counts."""

    def set(self, instance_id: str, baseline: datetime) -> bool:
        """Returns False if the instance no longer exists."""


class Backlog(Protocol):
    """Parked deliveries."""

    def partitions(self, instance_id: str, webhook_id: WebhookId) -> Sequence[Partition]:
        """The partitions of a webhook that hold something."""

    def read(self, partition: Partition, *, after: str = "", limit: int = 1000) -> Sequence[Parked]:
        """The next parked items behind *after*, soonest due first."""

    def remove(self, parked: Iterable[Parked]) -> None:
        """Remove items."""

    def waiting(self, instance_id: str, webhook_id: WebhookId) -> int:
        """About how many deliveries wait for a webhook."""

    def wake(self, instance_id: str, webhook_id: WebhookId, *, now: datetime) -> None:
        """Have release look at all that waits for a webhook."""


class Archive(Protocol):
    """Delivered batches."""

    def between(
        self, instance_id: str, webhook_id: WebhookId, shard: int, *, since: datetime, until: datetime
    ) -> Iterator[tuple[datetime, DeliveryBatch]]:
        """A partition's batches with the time of their delivery."""

    def step(
        self,
        instance_id: str,
        webhook_id: WebhookId,
        shard: int,
        *,
        since: datetime,
        until: datetime,
        after: str,
        limit: int,
    ) -> tuple[list[DeliveryBatch], str]:
        """A partition's next batches, and the key that the following ones begin behind; empty at its end."""


class Ledger(HourlyCounters, Protocol):
    """Counters, and the bounces and complaints that count."""

    def page(self, instance_id: str, *, after: str, limit: int) -> tuple[list[LedgerEntry], str]:
        """Entries behind *after*, newest first, and the key that the next page begins behind; empty at the end."""

    def entries(self, instance_id: str) -> Iterator[LedgerEntry]:
        """All entries, newest first."""

    def older(self, instance_id: str, *, after: str) -> Iterator[LedgerEntry]:
        """Entries older than key *after* (empty: all), newest first."""


class SendingStatuses(SendingStatusClaims, Protocol):
    """Sending statuses and their transitions."""

    def history(self, instance_id: str) -> list[Transition]:
        """Newest first."""

    def watched(self) -> Sequence[str]:
        """The instances that are not healthy, undecided, or have something pending."""


class Topics(Protocol):
    """SNS topics that people subscribe to."""

    def confirmed(self, topic_arn: str, email: str) -> bool:
        """Whether *email* confirmed its subscription."""

    def ask_again(self, topic_arn: str, email: str) -> bool:
        """Send another confirmation link; False if the address may get no more of them today."""


class ReplayQueue(Protocol):
    """The queue of replays' steps."""

    def send(self, instance_id: str, webhook_id: str, replay_id: str) -> None:
        """Queue the next step."""


class Replays(Protocol):
    """Replays, one at a time for each webhook."""

    def begin_replay(self, replay: Replay) -> bool:
        """Returns False while the webhook's last replay is running."""

    def replay(self, instance_id: str, webhook_id: str) -> Replay | None:
        """The webhook's last replay."""

    def save_replay(self, replay: Replay) -> bool:
        """Returns False if another step saved it first."""


class SessionStore(Protocol):
    """Sessions and unused links."""

    def save_session(self, session: Session) -> None:
        """Store a new session."""

    def update_session(self, session: Session) -> None:
        """Store a session's new content, unless it was ended."""

    def session(self, session_id: str, *, now: datetime) -> Session | None:
        """None if it was ended or has expired."""

    def end_session(self, session_id: str) -> None:
        """Sign out."""

    def has_link(self, token: str, *, now: datetime) -> bool:
        """Whether the link can still be used."""

    def take_link(self, token: str, *, now: datetime) -> Link | None:
        """Use a link; None if it was used or has expired."""


class Actions(Protocol):
    """The record of what was done through the portal."""

    def record(self, action: Action) -> None:
        """Store an action."""


class CallCounter(Protocol):
    """Counts what is limited per caller."""

    def count_call(self, who: str, *, window: timedelta, now: datetime) -> int:
        """How many calls in the current window, this one included."""


class Resumes(Protocol):
    """When a tenant last resumed its own sending."""

    def resume_possible_at(
        self, organization: str, domain: str, *, transition_id: str, now: datetime
    ) -> datetime | None:
        """The time from which `take_resume` allows the transition; None if it does now."""

    def take_resume(
        self, organization: str, domain: str, *, transition_id: str, again_after: datetime, now: datetime
    ) -> datetime | None:
        """None if the resume is allowed, else the time from which the next one is. Idempotent per transition."""
