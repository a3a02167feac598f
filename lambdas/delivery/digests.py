"""Digests to a notification_email, at most one a minute, through the binding's SNS topic.

SNS deactivates a subscription above ten messages a second and that limit is hard, so events are gathered. Until the
recipient confirmed, SNS would drop what is published: events wait in the backlog.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from aws_lambda_powertools import Logger

from lambdas.delivery.ports import BindingTopics, Count, WebhookHealthStore
from lambdas.domain.portal import page_of
from lambdas.domain.webhooks.delivery import Delivery, DeliveryBatch
from lambdas.domain.webhooks.health import Health
from lambdas.domain.webhooks.target import Target

EVERY = timedelta(minutes=1)  # the promise to the recipient; SNS itself would take ten a second
UNCONFIRMED_CHECK = timedelta(minutes=15)  # until it is asked again whether the recipient confirmed
SHOWN_IN_FULL = 100  # events that a digest spells out; the rest it counts
MAX_TEXT = 200_000  # bytes; SNS takes 256 KB


@dataclass(frozen=True, slots=True, kw_only=True)
class Digests:
    """Sends digests. `probe_at` of the webhook's health is when the next one may go."""

    topics: BindingTopics
    states: WebhookHealthStore
    logger: Logger
    count: Count
    portal_url: str = ""  # empty: there is none

    def may_send(self, target: Target, *, now: datetime) -> bool:
        """Whether a digest may be sent now; claims the minute, so that only one of two releases sends."""
        if not _is_due(target.health, now):
            return False
        heard = self.topics.has_confirmed_subscription(target.url)
        claimed = False

        def claim(health: Health) -> Health:
            nonlocal claimed
            claimed = _is_due(health, now)
            return replace(health, probe_at=now + (EVERY if heard else UNCONFIRMED_CHECK)) if claimed else health

        return self.states.change(target, claim) is not None and claimed and heard

    def send(self, target: Target, batches: Sequence[DeliveryBatch]) -> None:
        """Send one digest of all deliveries in *batches*. Raises if SNS cannot take it now."""
        deliveries = sorted(
            (delivery for batch in batches for delivery in batch.deliveries), key=lambda delivery: delivery.timestamp
        )
        text = digest_text(deliveries, page=page_of(self.portal_url, target.instance_id))
        sent = self.topics.notify(target.url, subject=_subject(deliveries, target.instance_id), text=text)
        ids = {"instance_id": target.instance_id, "webhook_id": target.webhook_id}
        self.logger.info("digest sent" if sent else "digest topic deleted", extra={**ids, "count": len(deliveries)})
        self.count("DeliveriesMade" if sent else "DeliveriesWebhookDeleted", len(deliveries))


def digest_text(deliveries: Sequence[Delivery], *, page: str = "") -> str:
    """The digest's text: each event a paragraph, up to what a reader and SNS can take, then counts of the rest.

    It ends with *page*, the instance's page in the portal, if there is one.
    """
    notified: list[str] = []
    size = 0
    for delivery in deliveries[:SHOWN_IN_FULL]:
        size += len(delivery.body.encode())
        if size > MAX_TEXT:
            break
        notified.append(delivery.body.strip())
    rest = Counter(delivery.type for delivery in deliveries[len(notified) :])
    if rest:
        notified.append("Not spelled out here: " + ", ".join(f"{count} {kind}" for kind, count in sorted(rest.items())))
    if page:
        notified.append(f"Rates, evidence and history in the portal: {page}")
    return "\n\n".join(notified) + "\n"


def _subject(deliveries: Sequence[Delivery], instance_id: str) -> str:
    kinds = Counter(delivery.type.removeprefix("email.").replace("_", " ") for delivery in deliveries)
    return f"{', '.join(f'{count} {kind}' for kind, count in sorted(kinds.items()))} ({instance_id})"


def _is_due(health: Health, now: datetime) -> bool:
    return health.probe_at is None or health.probe_at <= now
