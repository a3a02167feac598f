"""A batch of the events queue: read every message, record instance by instance, fan out, say what must come again.

What is no event, or nobody's, is told to the log and a metric and is done: it must not go round. A fault (a table that
refuses, a queue that does) fails the messages of the instance it happened to, and only those.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from lambdas.aws.webhook_table import Audience
from lambdas.domain.delivery import DeliveryBatch
from lambdas.domain.event import FeedbackEvent
from lambdas.feedback.feeding import Fed
from lambdas.feedback.reading import NotAnEvent, read


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message of the events queue."""

    id: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """There is no such instance (any more): nobody's reputation, nobody to tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Feeding an instance's events broke; they must come again."""

    error: Exception


Outcome = Fed | Gone | Failed


class Feeding(Protocol):
    """What a batch is fed to."""

    def audiences_of(self, instance_ids: Sequence[str]) -> Callable[[str], Audience | None]:
        """Who is told of each instance's events; None when it is gone."""

    def record(self, audience: Audience, events: Sequence[FeedbackEvent], *, now: datetime) -> Fed:
        """Count one instance's events."""

    def send(self, batches: Iterable[DeliveryBatch]) -> None:
        """Fan out."""


class Report(Protocol):
    """Who is told what became of a batch: log and metrics."""

    def not_an_event(self, message_id: str, reading: NotAnEvent) -> None:
        """A message that tells of no mail."""

    def unattributed(self, event: FeedbackEvent) -> None:
        """An event whose configuration set is missing or not ours."""

    def outcome(self, instance_id: str, events: Sequence[FeedbackEvent], outcome: Outcome) -> None:
        """What became of an instance's events."""


Runner = Callable[[Callable[[str], Outcome], Iterable[str]], Iterable[Outcome]]


def process(
    messages: Sequence[Message], feeding: Feeding, report: Report, *, now: datetime, run: Runner = map
) -> list[str]:
    """Process *messages*; the ids of those that must come again. *run* maps over instances, in order."""
    senders: dict[str, list[str]] = {}
    events: dict[str, list[FeedbackEvent]] = {}
    for message in messages:
        for event in _events(message, report):
            if event.instance_id is None:
                report.unattributed(event)
                continue
            senders.setdefault(event.instance_id, []).append(message.id)
            events.setdefault(event.instance_id, []).append(event)

    recorded = _recorded(events, feeding, now, run)
    failed: dict[str, None] = {}
    for instance_id, outcome in _fanned_out(recorded, feeding).items():
        report.outcome(instance_id, events[instance_id], outcome)
        if isinstance(outcome, Failed):
            failed.update(dict.fromkeys(senders[instance_id]))
    return list(failed)


def _recorded(
    events: Mapping[str, Sequence[FeedbackEvent]], feeding: Feeding, now: datetime, run: Runner
) -> Mapping[str, Outcome]:
    try:
        audience_of = feeding.audiences_of(list(events))
    except Exception as error:  # noqa: BLE001  # the table does not answer: all of them come again
        return dict.fromkeys(events, Failed(error=error))

    def record(instance_id: str) -> Outcome:
        try:
            audience = audience_of(instance_id)
            return Gone() if audience is None else feeding.record(audience, events[instance_id], now=now)
        except Exception as error:  # noqa: BLE001  # one instance's fault, whatever it is, is not its neighbours'
            return Failed(error=error)

    return dict(zip(events, run(record, events), strict=True))


def _fanned_out(recorded: Mapping[str, Outcome], feeding: Feeding) -> Mapping[str, Outcome]:
    """Send all instances' deliveries in as few calls as they fit; if that fails, one instance after the other.

    The smallest go first, so that nobody waits for a neighbour's flood.
    """
    fed = {instance_id: outcome for instance_id, outcome in recorded.items() if isinstance(outcome, Fed)}
    smallest_first = sorted(fed, key=lambda instance_id: len(fed[instance_id].fan_out))
    try:
        feeding.send(batch for instance_id in smallest_first for batch in fed[instance_id].fan_out)
    except Exception:  # noqa: BLE001  # found out one by one
        return {**recorded, **{instance_id: _sent_alone(fed[instance_id], feeding) for instance_id in smallest_first}}
    return recorded


def _sent_alone(outcome: Fed, feeding: Feeding) -> Outcome:
    try:
        feeding.send(outcome.fan_out)
    except Exception as error:  # noqa: BLE001  # one instance's fault, whatever it is, is not its neighbours'
        return Failed(error=error)
    return outcome


def _events(message: Message, report: Report) -> Iterable[FeedbackEvent]:
    for reading in read(message.body):
        if isinstance(reading, NotAnEvent):
            report.not_an_event(message.id, reading)
        else:
            yield reading
