"""What the feedback function logs and measures: ids and counts, never an address."""

from collections.abc import Sequence

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from lambdas.domain.delivery import MAX_MESSAGE_ID
from lambdas.domain.event import FeedbackEvent
from lambdas.domain.ledger import Kind, LedgerEntry
from lambdas.feedback.batch import Failed, Gone, Outcome
from lambdas.feedback.feeding import Fed
from lambdas.feedback.reading import NotAnEvent, NotAnEventKind

_METRICS = {
    NotAnEventKind.CONTROL: "ControlMessages",
    NotAnEventKind.TENANT_CONTROL: "TenantControlMessages",
    NotAnEventKind.UNKNOWN: "UnknownMessages",
    NotAnEventKind.INVALID: "InvalidMessages",
}


class Telling:
    """Writes a line per event with the ids that `ops trace` follows, and one per instance with the sums."""

    def __init__(self, logger: Logger, metrics: Metrics) -> None:
        self._logger = logger
        self._metrics = metrics

    def not_an_event(self, message_id: str, reading: NotAnEvent) -> None:
        """Acknowledged: SNS and SES talk to topics too, and rubbish does not get better by waiting."""
        facts = {"queue_message": message_id, "kind": reading.kind.value, "reason": reading.reason, **reading.facts}
        level = self._logger.info if reading.kind is NotAnEventKind.CONTROL else self._logger.warning
        level("message was no event", extra=facts)
        self._count(_METRICS[reading.kind])

    def unattributed(self, event: FeedbackEvent) -> None:
        """Acknowledged: a configuration set that is missing or not ours is nobody's reputation here."""
        reason = "a foreign configuration set" if event.configuration_set else "no configuration set"
        facts = {"event": event.id, "type": event.type.value, "message_id": event.mail.message_id, "reason": reason}
        self._logger.warning("event belonged to no instance", extra=facts)
        self._count("EventsUnattributed")

    def outcome(self, instance_id: str, events: Sequence[FeedbackEvent], outcome: Outcome) -> None:
        """One line for the instance's events; when they were recorded, one for each of them too."""
        facts = {"instance_id": instance_id, "events": len(events)}
        match outcome:
            case Gone():
                self._logger.warning("events of an instance that is gone were dropped", extra=facts)
                self._count("EventsOfGoneInstances", len(events))
            case Failed(error=error):
                self._logger.error("events could not be fed and come again", extra=facts, exc_info=error)
                self._count("EventsFailed", len(events))
            case Fed():
                for event in events:
                    self._recorded(instance_id, event, outcome.fan_out.delivery_ids(event))
                self._fed(facts, outcome)

    def _recorded(self, instance_id: str, event: FeedbackEvent, delivery_ids: list[str]) -> None:
        """The line that links SES's message id to the deliveries made of the event."""
        facts = {
            "instance_id": instance_id,
            "type": event.type.value,
            "message_id": (event.mail.message_id or "")[:MAX_MESSAGE_ID],
            "delivery_ids": delivery_ids,
        }
        self._logger.info("event recorded", extra=facts)

    def _fed(self, facts: dict[str, object], fed: Fed) -> None:
        for entry in fed.entries:
            self._counted(facts, entry, new=entry.key in fed.new)
        deliveries = len(fed.fan_out)
        counts = {"counted": len(fed.new), "delivered": fed.delivered, "deliveries": deliveries}
        self._logger.info("events were recorded and fanned out", extra={**facts, **counts})
        self._count("EventsFed", int(str(facts["events"])))
        self._count("DeliveriesMade", deliveries)

    def _counted(self, facts: dict[str, object], entry: LedgerEntry, *, new: bool) -> None:
        line = f"{entry.kind.value} was counted" if new else f"{entry.kind.value} had been counted before"
        about = {"feedback": entry.key, "message_id": entry.message_id, "reason": entry.reason, "hour": entry.bucket}
        self._logger.info(line, extra={"instance_id": facts["instance_id"], **about, "recipients": entry.counted})
        if not new:
            self._count("Duplicates")
        else:
            self._count("BouncesCounted" if entry.kind is Kind.BOUNCE else "ComplaintsCounted", entry.counted)

    def _count(self, name: str, number: int = 1) -> None:
        self._metrics.add_metric(name=name, unit=MetricUnit.Count, value=number)
