"""A webhook: where a binding's events go, and in which form. It may serve several bindings during a rotation."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

WebhookId = NewType("WebhookId", str)


class EventKind(StrEnum):
    """A kind of event that a binding may subscribe to (`notification_events`)."""

    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    DELIVERY = "delivery"
    REJECT = "reject"
    DELIVERY_DELAY = "delivery_delay"
    RENDERING_FAILURE = "rendering_failure"


DEFAULT_EVENTS = (EventKind.BOUNCE, EventKind.COMPLAINT, EventKind.DELIVERY)


class NotificationFormat(StrEnum):
    """The format of an event for the receiver: a bind's `notification_format`, or EMAIL, which no bind may ask for.

    A `notification_email` is stored as a webhook of format EMAIL. Its deliveries are readable text, collected into
    digests that go out through a dedicated SNS topic of the binding.
    """

    STANDARD_WEBHOOKS = "standard-webhooks"
    SNS = "sns"
    CLOUDEVENTS = "cloudevents"
    CLOUDEVENTS_BINARY = "cloudevents-binary"
    EMAIL = "email"


WEBHOOK_FORMATS = tuple(format for format in NotificationFormat if format is not NotificationFormat.EMAIL)


class Scope(StrEnum):
    """Which senders' events a webhook gets (`notification_scope`)."""

    INSTANCE = "instance"
    BINDING = "binding"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A webhook as the fan-out sees it: no secret, no health.

    `senders` holds every binding that ever shared the webhook: late events of a predecessor also belong to its
    successor. `batch` is the most events of a POST, `batch_seconds` how long they may be gathered.
    """

    id: WebhookId
    instance_id: str
    events: frozenset[EventKind] = frozenset(DEFAULT_EVENTS)
    format: NotificationFormat = NotificationFormat.STANDARD_WEBHOOKS
    scope: Scope = Scope.INSTANCE
    batch: int = 1
    batch_seconds: int = 0
    senders: frozenset[str] = frozenset()

    def wants(self, kind: EventKind, *, sender: str | None) -> bool:
        """Whether an event of *kind*, sent by binding *sender* (None: unknown), goes to this webhook."""
        return kind in self.events and (self.scope is Scope.INSTANCE or sender in self.senders)
