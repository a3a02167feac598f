"""What the reputation functions log, measure and tell the operator beside the letters: ids and counts, no address."""

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from lambdas.aws.ses_rates import SesRates
from lambdas.domain.reputation import Reputation
from lambdas.domain.standing import Transition
from lambdas.reputation.acting import Alerts
from lambdas.reputation.judging import Judged, Kind
from lambdas.reputation.sweeping import Swept

_LINES = {
    Kind.UNCHANGED: "instance was judged and stays as it is",
    Kind.MOVED: "instance was moved and acted on",
    Kind.FINISHED: "transition that was left undone was acted on",
    Kind.BUSY: "transition was left to whoever is at it",
}


class Telling:
    """Writes a line an outcome."""

    def __init__(self, logger: Logger, metrics: Metrics, alerts: Alerts, operator_topic_arn: str) -> None:
        self._logger = logger
        self._metrics = metrics
        self._alerts = alerts
        self._operator_topic_arn = operator_topic_arn

    def judged(self, judged: Judged) -> None:
        """One line; a transition adds what it was decided upon."""
        facts = {"instance_id": judged.standing.instance_id, **_figures(judged.reputation)}
        state = judged.transition.after if judged.transition else judged.standing.state
        moved = _move(judged.transition) if judged.transition else {}
        self._logger.info(_LINES[judged.kind], extra={**facts, "state": state.value, **moved})
        self._count("InstancesJudged")
        if judged.kind in {Kind.MOVED, Kind.FINISHED}:
            self._count("TransitionsActedOn")

    def failed(self, instance_id: str, error: Exception) -> None:
        """Tried again: by the stream at once, by the sweep within a quarter of an hour."""
        self._logger.error(
            "instance could not be judged or acted on", extra={"instance_id": instance_id}, exc_info=error
        )
        self._count("ActionsFailed")

    def healed(self, instance_id: str, what: str) -> None:
        """The operator hears of it: somebody else has a hand in it."""
        self._logger.warning("sending state differed from SES's", extra={"instance_id": instance_id, "what": what})
        self._count("StatesHealed")
        self._tell(f"Sending state differed: {instance_id}", f"Instance {instance_id}: {what}.\n")

    def differs(self, instance_id: str, ours: Reputation, theirs: SesRates) -> None:
        """Not enough volume of ours for a pause, or an operator has resumed it of late."""
        rates = {"ses_bounce_rate": theirs.bounce_rate, "ses_complaint_rate": theirs.complaint_rate}
        facts = {"instance_id": instance_id, **_figures(ours), **rates}
        self._logger.warning("rates of SES's were above ours", extra=facts)
        self._count("RatesDiffered")
        lines = [f"  {name}: {value}" for name, value in facts.items()]
        advice = f"Nothing was paused. Look into it: python -m ops reputation {instance_id}"
        text = "\n".join(["Amazon SES reports rates that would pause this instance; ours do not.", *lines, advice, ""])
        self._tell(f"SES reports a worse reputation: {instance_id}", text)

    def swept(self, swept: Swept) -> None:
        """One line a run. OverdueActions is alarmed."""
        facts = {
            "watched": swept.watched,
            "overdue": swept.overdue,
            "checked": swept.checked,
            "unchecked": swept.unchecked,
        }
        self._logger.info("sweep was run", extra=facts)
        self._count("OverdueActions", swept.overdue)
        self._count("InstancesChecked", swept.checked)
        self._count("InstancesUnchecked", swept.unchecked)

    def _tell(self, subject: str, text: str) -> None:
        self._alerts.publish(self._operator_topic_arn, subject=subject, text=text)

    def _count(self, name: str, number: int = 1) -> None:
        self._metrics.add_metric(name=name, unit=MetricUnit.Count, value=number)


def _figures(reputation: Reputation) -> dict[str, object]:
    return {
        "bounces": reputation.bounces,
        "complaints": reputation.complaints,
        "delivered": reputation.deliveries,
        "bounce_rate": round(reputation.bounce_rate, 6),
        "complaint_rate": round(reputation.complaint_rate, 6),
        "since": reputation.since,
    }


def _move(transition: Transition) -> dict[str, object]:
    return {
        "transition": transition.id,
        "before": transition.before.value,
        "cause": transition.cause.value,
        "reasons": [reason.value for reason in transition.reasons],
    }
