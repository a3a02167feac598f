"""A batch of the events queue: parse every message, record by instance, fan out, and list what SQS must redeliver.

A message that holds no event, or an event of no instance, is logged, counted and done. A fault (DynamoDB or SQS does
not answer) fails the messages of the instance it happened to, and no others.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from lambdas.domain.events.feedback_event import FeedbackEvent
from lambdas.domain.ports import Runner
from lambdas.feedback.parse_message import NotAnEvent, parse_message
from lambdas.feedback.record import InstanceEvents, Recorded, Recorder


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueMessage:
    """A message of the events queue."""

    id: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceGone:
    """The instance was deleted or never existed. There is nothing to count and no webhook."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingFailed:
    """Recording an instance's events failed. SQS redelivers their messages."""

    error: Exception


RecordingOutcome = Recorded | InstanceGone | RecordingFailed


class BatchObserver(Protocol):
    """Logs and counts what happened to a batch."""

    def not_an_event(self, message_id: str, reading: NotAnEvent) -> None:
        """A message that holds no event."""

    def unattributed(self, event: FeedbackEvent) -> None:
        """An event whose configuration set is missing or not ours."""

    def outcome(self, instance_id: str, events: Sequence[FeedbackEvent], outcome: RecordingOutcome) -> None:
        """The outcome for an instance's events."""


def process(
    messages: Sequence[QueueMessage], recorder: Recorder, observer: BatchObserver, *, now: datetime, run: Runner = map
) -> list[str]:
    """Process *messages*; returns the ids that SQS must redeliver. *run* maps over instances, in order."""
    senders: dict[str, list[str]] = {}
    events: dict[str, list[FeedbackEvent]] = {}
    for message in messages:
        for event in _events(message, observer):
            if event.instance_id is None:
                observer.unattributed(event)
                continue
            senders.setdefault(event.instance_id, []).append(message.id)
            events.setdefault(event.instance_id, []).append(event)

    recorded = _recorded(events, recorder, now, run)
    failed: dict[str, None] = {}
    for instance_id, outcome in _fanned_out(recorded, recorder).items():
        observer.outcome(instance_id, events[instance_id], outcome)
        if isinstance(outcome, RecordingFailed):
            failed.update(dict.fromkeys(senders[instance_id]))
    return list(failed)


def _recorded(
    events: Mapping[str, Sequence[FeedbackEvent]], recorder: Recorder, now: datetime, run: Runner
) -> Mapping[str, RecordingOutcome]:
    try:
        audience_of = recorder.audiences.of(list(events))
    except Exception as error:  # noqa: BLE001  # the table does not answer: all of them come again
        return dict.fromkeys(events, RecordingFailed(error=error))

    def prepare(instance_id: str) -> InstanceEvents | InstanceGone | RecordingFailed:
        try:
            audience = audience_of(instance_id)
            return InstanceGone() if audience is None else recorder.prepare(audience, events[instance_id], now=now)
        except Exception as error:  # noqa: BLE001  # one instance's fault, whatever it is, is not its neighbours'
            return RecordingFailed(error=error)

    prepared = dict(zip(events, run(prepare, events), strict=True))
    uncounted = _deliveries_counted([one for one in prepared.values() if isinstance(one, InstanceEvents)], recorder)

    def count_feedback(instance_id: str) -> RecordingOutcome:
        one = prepared[instance_id]
        if not isinstance(one, InstanceEvents):
            return one
        if instance_id in uncounted:
            return RecordingFailed(error=uncounted[instance_id])
        try:
            return recorder.count_feedback(one, now=now)
        except Exception as error:  # noqa: BLE001  # as above
            return RecordingFailed(error=error)

    return dict(zip(events, run(count_feedback, events), strict=True))


def _deliveries_counted(batch: Sequence[InstanceEvents], recorder: Recorder) -> Mapping[str, Exception]:
    """Count the deliveries of all instances; returns the error of each whose deliveries are not counted.

    It comes before any bounce of the batch is counted, so that no decision rests on bounces alone.
    """
    try:
        return recorder.count_deliveries(batch)
    except Exception as error:  # noqa: BLE001  # the table does not answer: all of them come again
        return {one.audience.instance_id: error for one in batch}


def _fanned_out(recorded: Mapping[str, RecordingOutcome], recorder: Recorder) -> Mapping[str, RecordingOutcome]:
    """Send all instances' deliveries in as few calls as they fit; if that fails, one instance after the other.

    The smallest go first, so that no instance waits for a much larger one.
    """
    recorded_events = {
        instance_id: outcome for instance_id, outcome in recorded.items() if isinstance(outcome, Recorded)
    }
    smallest_first = sorted(recorded_events, key=lambda instance_id: len(recorded_events[instance_id].fan_out))
    try:
        recorder.delivery_queue.send_later(
            one for instance_id in smallest_first for one in recorded_events[instance_id].fan_out
        )
    except Exception:  # noqa: BLE001  # found out one by one
        return {
            **recorded,
            **{instance_id: _sent_alone(recorded_events[instance_id], recorder) for instance_id in smallest_first},
        }
    return recorded


def _sent_alone(outcome: Recorded, recorder: Recorder) -> RecordingOutcome:
    try:
        recorder.delivery_queue.send_later(outcome.fan_out)
    except Exception as error:  # noqa: BLE001  # one instance's fault, whatever it is, is not its neighbours'
        return RecordingFailed(error=error)
    return outcome


def _events(message: QueueMessage, observer: BatchObserver) -> Iterable[FeedbackEvent]:
    for reading in parse_message(message.body):
        if isinstance(reading, NotAnEvent):
            observer.not_an_event(message.id, reading)
        else:
            yield reading
