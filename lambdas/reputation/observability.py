"""Log lines, metrics and operator notifications of the reputation functions: ids and counts, never an address."""

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from lambdas.domain.ports import Notifier
from lambdas.domain.reputation.evaluation import Reputation
from lambdas.domain.reputation.sending_status import Transition
from lambdas.domain.reputation.ses_rates import SesRates
from lambdas.reputation.evaluate import Evaluation, EvaluationKind
from lambdas.reputation.reconcile import Reconciled

_LINES = {
    EvaluationKind.UNCHANGED: "instance evaluated: unchanged",
    EvaluationKind.MOVED: "instance evaluated: transition enforced",
    EvaluationKind.FINISHED: "pending transition enforced",
    EvaluationKind.BUSY: "pending transition is being enforced elsewhere",
    EvaluationKind.GONE: "counters of a deleted instance changed",
}


class Observability:
    """Writes one log line per outcome."""

    def __init__(self, logger: Logger, metrics: Metrics, notifier: Notifier, operator_topic_arn: str) -> None:
        self._logger = logger
        self._metrics = metrics
        self._notifier = notifier
        self._operator_topic_arn = operator_topic_arn

    def evaluated(self, evaluation: Evaluation) -> None:
        """Log an evaluation, with the figures it was based on."""
        facts = {"instance_id": evaluation.status.instance_id, **_figures(evaluation.reputation)}
        state = evaluation.transition.after if evaluation.transition else evaluation.status.state
        moved = _move(evaluation.transition) if evaluation.transition else {}
        self._logger.info(_LINES[evaluation.kind], extra={**facts, "state": state.value, **moved})
        self._count("InstancesEvaluated")
        if evaluation.kind in {EvaluationKind.MOVED, EvaluationKind.FINISHED}:
            self._count("TransitionsEnforced")

    def capped(self, instance_id: str) -> None:
        """Log an instance that reached the daily cap; its pause is enforced by the reputation function."""
        self._logger.info("daily cap reached", extra={"instance_id": instance_id})

    def failed(self, instance_id: str, error: Exception) -> None:
        """Log a failure. The stream retries at once, reconciliation within 15 minutes."""
        self._logger.error("evaluation or enforcement failed", extra={"instance_id": instance_id}, exc_info=error)
        self._count("EnforcementFailures")

    def healed(self, instance_id: str, what: str) -> None:
        """Log a sending state that was corrected, and notify the operator that somebody else changed it."""
        self._logger.warning("sending state differs from SES", extra={"instance_id": instance_id, "what": what})
        self._count("StatesReconciled")
        self._notify_operator(f"Sending state differed: {instance_id}", f"Instance {instance_id}: {what}.\n")

    def differs(self, instance_id: str, ours: Reputation, theirs: SesRates) -> None:
        """Notify the operator of rates that would pause, had our volume sufficed or were there no recent resume."""
        rates = {"ses_bounce_rate": theirs.bounce_rate, "ses_complaint_rate": theirs.complaint_rate}
        facts = {"instance_id": instance_id, **_figures(ours), **rates}
        self._logger.warning("rates reported by SES are above ours", extra=facts)
        self._count("RatesDiffered")
        lines = [f"  {name}: {value}" for name, value in facts.items()]
        advice = f"Nothing was paused. Look into it: python -m ops reputation {instance_id}"
        text = "\n".join(["Amazon SES reports rates that would pause this instance; ours do not.", *lines, advice, ""])
        self._notify_operator(f"SES reports a worse reputation: {instance_id}", text)

    def reconciled(self, reconciled: Reconciled) -> None:
        """Log one line per run. OverdueTransitions has an alarm."""
        facts = {
            "watched": reconciled.watched,
            "overdue": reconciled.overdue,
            "warned": reconciled.warned,
            "paused": reconciled.paused,
            "checked": reconciled.checked,
            "unchecked": reconciled.unchecked,
        }
        self._logger.info("reconciliation finished", extra=facts)
        self._count("OverdueTransitions", reconciled.overdue)
        self._count("InstancesWarned", reconciled.warned)
        self._count("InstancesPaused", reconciled.paused)
        self._count("InstancesChecked", reconciled.checked)
        self._count("InstancesUnchecked", reconciled.unchecked)

    def _notify_operator(self, subject: str, text: str) -> None:
        self._notifier.notify(self._operator_topic_arn, subject=subject, text=text)

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
