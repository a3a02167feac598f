"""What the feedback function logs and measures: ids and counts, never an address."""

from collections.abc import Sequence

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from lambdas.domain.events.feedback_event import FeedbackEvent
from lambdas.domain.log_lines import shared_lines
from lambdas.domain.reputation.ledger import LedgerEntry, LedgerKind
from lambdas.domain.webhooks.delivery import MAX_MESSAGE_ID
from lambdas.feedback.batch import InstanceGone, RecordingFailed, RecordingOutcome
from lambdas.feedback.parse_message import NotAnEvent, NotAnEventKind
from lambdas.feedback.record import Recorded

EVENT_FACTS = ("message_id", "type", "delivery_ids")  # of an event in `events recorded`, in order
_METRICS = {
    NotAnEventKind.CONTROL: "ControlMessages",
    NotAnEventKind.TENANT_CONTROL: "TenantControlMessages",
    NotAnEventKind.UNKNOWN: "UnknownMessages",
    NotAnEventKind.INVALID: "InvalidMessages",
}


class Observability:
    """Writes the ids that `ops trace` follows, of many events a line; sums are metrics. One for each batch."""

    def __init__(self, logger: Logger, metrics: Metrics) -> None:
        self._logger = logger
        self._metrics = metrics
        self._rows: list[tuple[tuple[str], tuple[str, str, list[str]]]] = []  # of EVENT_FACTS, by instance

    def not_an_event(self, message_id: str, reading: NotAnEvent) -> None:
        """Log a message that is no event.

        It is acknowledged: SNS and SES send control messages, and a retry changes nothing.
        """
        facts = {"queue_message": message_id, "kind": reading.kind.value, "reason": reading.reason, **reading.facts}
        level = self._logger.info if reading.kind is NotAnEventKind.CONTROL else self._logger.warning
        level("message was no event", extra=facts)
        self._count(_METRICS[reading.kind])

    def unattributed(self, event: FeedbackEvent) -> None:
        """Log an event that belongs to no instance.

        It is acknowledged: its configuration set is missing or not ours.
        """
        reason = "a foreign configuration set" if event.configuration_set else "no configuration set"
        facts = {"event": event.id, "type": event.type.value, "message_id": event.mail.message_id, "reason": reason}
        self._logger.warning("event has no instance", extra=facts)
        self._count("EventsUnattributed")

    def outcome(self, instance_id: str, events: Sequence[FeedbackEvent], outcome: RecordingOutcome) -> None:
        """Log the outcome of an instance's events; the ids of those that were recorded come with `finish`."""
        facts = {"instance_id": instance_id, "events": len(events)}
        match outcome:
            case InstanceGone():
                self._logger.warning("events of a deleted instance were dropped", extra=facts)
                self._count("EventsOfDeletedInstances", len(events))
            case RecordingFailed(error=error):
                self._logger.error("events could not be recorded and are retried", extra=facts, exc_info=error)
                self._count("EventsFailed", len(events))
            case Recorded():
                self._rows += [((instance_id,), _row(event, outcome)) for event in events]
                self._recorded_events(facts, outcome)

    def finish(self) -> None:
        """Log the lines that link SES's message ids to the deliveries made of the batch's events.

        A line for each event would cost more than the tables (docs/cost.md), so many share one, as lists of EVENT_FACTS
        by instance.
        """
        match self._rows:
            case [((instance_id,), row)]:
                facts = dict(zip(EVENT_FACTS, row, strict=True))
                self._logger.info("event recorded", extra={"instance_id": instance_id, **facts})
            case several:
                for instances in shared_lines(several):
                    self._logger.info("events recorded", extra={"instances": instances})
        self._rows = []

    def _recorded_events(self, facts: dict[str, object], recorded_events: Recorded) -> None:
        for entry in recorded_events.entries:
            self._counted(facts, entry, new=entry.key in recorded_events.new)
        self._count("EventsRecorded", int(str(facts["events"])))
        self._count("DeliveriesMade", len(recorded_events.fan_out))

    def _counted(self, facts: dict[str, object], entry: LedgerEntry, *, new: bool) -> None:
        line = f"{entry.kind.value} was counted" if new else f"{entry.kind.value} had been counted before"
        about = {"feedback": entry.key, "message_id": entry.message_id, "reason": entry.reason, "hour": entry.bucket}
        self._logger.info(line, extra={"instance_id": facts["instance_id"], **about, "recipients": entry.counted})
        if not new:
            self._count("EventsDuplicate")
        else:
            self._count("BouncesCounted" if entry.kind is LedgerKind.BOUNCE else "ComplaintsCounted", entry.counted)

    def _count(self, name: str, number: int = 1) -> None:
        self._metrics.add_metric(name=name, unit=MetricUnit.Count, value=number)


def _row(event: FeedbackEvent, outcome: Recorded) -> tuple[str, str, list[str]]:
    """An event's EVENT_FACTS."""
    message_id = (event.mail.message_id or "")[:MAX_MESSAGE_ID]
    return message_id, event.type.value, outcome.fan_out.delivery_ids(event)
