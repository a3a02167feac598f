"""Records the events of a batch, instance by instance, and prepares their fan-out.

The order keeps every crash harmless. Deliveries are counted first: they only lower a rate, so that no decision is based
on bounces whose deliveries are not counted yet. Then bounces and complaints are counted exactly once. The fan-out comes
last and is never skipped for a duplicate, because the first run may have crashed before it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lambdas.domain.events.feedback_event import FeedbackEvent
from lambdas.domain.ports import DelayedSender
from lambdas.domain.reputation.ledger import LedgerEntry, deliveries_by_bucket, ledger_entry
from lambdas.domain.webhooks.audience import Audience
from lambdas.domain.webhooks.batch import gathering_delay, in_batches
from lambdas.domain.webhooks.delivery import Delivery, DeliveryBatch, batched, delivery_id
from lambdas.domain.webhooks.payload import NOTIFIED, render_event
from lambdas.domain.webhooks.webhook import Webhook
from lambdas.feedback.ports import Audiences, Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class FanOut:
    """One instance's events for its webhooks. Iterating renders the batches one at a time; it can be repeated.

    Each comes with the delay, s, for which its webhook wants events to be gathered; a full one does not wait. A
    thousand events for twenty webhooks are over 100 MB of bodies, so they are never all in memory.
    """

    events: tuple[FeedbackEvent, ...]
    webhooks: tuple[Webhook, ...]
    topic_arn: str
    now: datetime

    def __len__(self) -> int:
        """How many deliveries there are."""
        return sum(_wants(webhook, event) for webhook in self.webhooks for event in self.events)

    def __iter__(self) -> Iterator[tuple[DeliveryBatch, float]]:
        """The batches with their delays, a webhook after the other."""
        for webhook in self.webhooks:
            delay = gathering_delay(webhook.batch_seconds, webhook.id, now=self.now) if webhook.batch > 1 else 0
            for deliveries in self._messages(webhook):
                batch = DeliveryBatch(
                    instance_id=webhook.instance_id, webhook_id=webhook.id, attempt=1, deliveries=deliveries
                )
                yield batch, 0 if len(deliveries) == webhook.batch else delay

    def delivery_ids(self, event: FeedbackEvent) -> list[str]:
        """The ids of the deliveries made of *event*; a webhook that did not ask for it has none."""
        return [delivery_id(webhook.id, event.id) for webhook in self.webhooks if _wants(webhook, event)]

    def _messages(self, webhook: Webhook) -> Iterator[tuple[Delivery, ...]]:
        """The deliveries of one queue message each.

        For a webhook with batches, a message holds what one POST carries.
        """
        deliveries = self._deliveries(webhook)
        return in_batches(deliveries, webhook.batch) if webhook.batch > 1 else batched(deliveries)

    def _deliveries(self, webhook: Webhook) -> Iterator[Delivery]:
        for event in self.events:
            if _wants(webhook, event):
                yield render_event(event, webhook, topic_arn=self.topic_arn, now=self.now)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceEvents:
    """One instance's events of a batch, each once. `delivered` is the number of delivered recipients by bucket."""

    audience: Audience
    events: tuple[FeedbackEvent, ...]
    delivered: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The outcome of recording an instance's events.

    `new` are the entries that were not known before, `delivered` the recipients of deliveries that count; `fan_out` is
    what has to be sent.
    """

    entries: tuple[LedgerEntry, ...]
    new: frozenset[str]
    delivered: int
    fan_out: FanOut


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    """Records an instance's events and prepares their fan-out. *topic_arn* is what the `sns` format names."""

    audiences: Audiences
    ledger: Ledger
    delivery_queue: DelayedSender
    topic_arn: str

    def prepare(self, audience: Audience, events: Sequence[FeedbackEvent], *, now: datetime) -> InstanceEvents:
        """What there is to count of an instance's *events*. Writes nothing."""
        unique = tuple({event.id: event for event in events}.values())
        delivered = deliveries_by_bucket(unique, baseline=audience.baseline, now=now)
        return InstanceEvents(audience=audience, events=unique, delivered=delivered)

    def count_deliveries(self, batch: Iterable[InstanceEvents]) -> Mapping[str, Exception]:
        """Count the deliveries of many instances; returns the error of each instance that failed."""
        return self.ledger.add_all_deliveries({one.audience.instance_id: one.delivered for one in batch})

    def count_feedback(self, one: InstanceEvents, *, now: datetime) -> Recorded:
        """Count the bounces and complaints of an instance whose deliveries are counted."""
        entries = tuple(_entries(one.events, one.audience, now))
        new = self.ledger.add(one.audience.instance_id, entries)
        fan_out = FanOut(events=one.events, webhooks=one.audience.webhooks, topic_arn=self.topic_arn, now=now)
        return Recorded(entries=entries, new=new, delivered=sum(one.delivered.values()), fan_out=fan_out)

    def record(self, audience: Audience, events: Sequence[FeedbackEvent], *, now: datetime) -> Recorded:
        """All three for one instance. Whatever it raises, recording and sending the same events again completes the
        work.
        """
        one = self.prepare(audience, events, now=now)
        for error in self.count_deliveries([one]).values():
            raise error
        return self.count_feedback(one, now=now)


def _entries(events: Iterable[FeedbackEvent], audience: Audience, now: datetime) -> Iterator[LedgerEntry]:
    for event in events:
        if entry := ledger_entry(event, baseline=audience.baseline, now=now):
            yield entry


def _wants(webhook: Webhook, event: FeedbackEvent) -> bool:
    kind, _ = NOTIFIED.get(event.type, (None, None))
    return kind is not None and webhook.wants(kind, sender=event.binding_id)
