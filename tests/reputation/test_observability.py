"""What the reputation functions log, count and tell the operator: the names stand in alarms and in the docs."""

from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import pytest
from aws_lambda_powertools.metrics import MetricUnit

from lambdas.domain.reputation.evaluation import Reason, Reputation, SendingState
from lambdas.domain.reputation.sending_status import Cause, SendingStatus, Transition
from lambdas.domain.reputation.ses_rates import SesRates
from lambdas.reputation.evaluate import Evaluation, EvaluationKind
from lambdas.reputation.observability import Observability
from lambdas.reputation.reconcile import Reconciled

NOW = datetime(2026, 11, 21, 5, tzinfo=UTC)
COUNTS = Reputation(bounces=1, complaints=2, deliveries=2, since="2026-11-21T04", hours=1)
FIGURES = {
    "bounces": 1,
    "complaints": 2,
    "delivered": 2,
    "bounce_rate": 0.333333,
    "complaint_rate": 1.0,
    "since": "2026-11-21T04",
}
PAUSE = Transition(
    id="i1:1",
    instance_id="i1",
    before=SendingState.WARNED,
    after=SendingState.PAUSED,
    at=NOW,
    cause=Cause.RATES,
    reasons=(Reason.BOUNCES,),
    reputation=COUNTS,
)
MOVE = {"transition": "i1:1", "before": "warned", "cause": "rates", "reasons": ["bounce_rate"]}


class Seen:
    """An observability with fakes behind it."""

    def __init__(self) -> None:
        self.logger, metrics = Mock(), Mock()
        self.counts: dict[str, int] = {}
        self.mails: list[tuple[str, str, str]] = []
        metrics.add_metric.side_effect = self._count
        self.report = Observability(self.logger, metrics, self, "operator")

    def notify(self, topic: str, *, subject: str, text: str) -> bool:
        """A mail to the operator."""
        self.mails.append((topic, subject, text))
        return True

    def _count(self, *, name: str, unit: Any, value: int) -> None:
        assert unit is MetricUnit.Count
        self.counts[name] = self.counts.get(name, 0) + value

    def lines(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Level, message and facts of each line."""
        return [(name, args[0], kwargs["extra"]) for name, args, kwargs in self.logger.mock_calls]


def evaluation(kind: EvaluationKind, transition: Transition | None = None) -> Evaluation:
    """An outcome for i1, which was warned."""
    status = SendingStatus(instance_id="i1", state=SendingState.WARNED)
    return Evaluation(kind=kind, status=status, reputation=COUNTS, transition=transition)


@pytest.mark.parametrize(
    ("kind", "transition", "line", "enforced"),
    [
        (EvaluationKind.UNCHANGED, None, "instance evaluated: unchanged", {}),
        (EvaluationKind.MOVED, PAUSE, "instance evaluated: transition enforced", {"TransitionsEnforced": 1}),
        (EvaluationKind.FINISHED, PAUSE, "pending transition enforced", {"TransitionsEnforced": 1}),
        (EvaluationKind.BUSY, None, "pending transition is being enforced elsewhere", {}),
        (EvaluationKind.GONE, None, "counters of a deleted instance changed", {}),
    ],
)
def test_an_evaluation_has_a_line_with_the_figures_that_it_was_based_on(
    kind: EvaluationKind, transition: Transition | None, line: str, enforced: dict[str, int]
) -> None:
    """And the transition, if one was enforced: its state is the one after it."""
    seen = Seen()
    seen.report.evaluated(evaluation(kind, transition))
    state: dict[str, Any] = {"state": "paused", **MOVE} if transition else {"state": "warned"}
    assert seen.lines() == [("info", line, {"instance_id": "i1", **FIGURES, **state})]
    assert seen.counts == {"InstancesEvaluated": 1, **enforced}
    assert not seen.mails


def test_the_daily_cap_and_a_failure_name_the_instance() -> None:
    """A failure is counted: it has an alarm."""
    seen = Seen()
    seen.report.capped("i1")
    error = TimeoutError("SES")
    seen.report.failed("i1", error)
    assert seen.lines() == [
        ("info", "daily cap reached", {"instance_id": "i1"}),
        ("error", "evaluation or enforcement failed", {"instance_id": "i1"}),
    ]
    assert seen.logger.error.call_args.kwargs["exc_info"] is error
    assert seen.counts == {"EnforcementFailures": 1}


def test_a_corrected_state_is_told_to_the_operator() -> None:
    """Somebody changed it, and should hear why it did not last."""
    seen = Seen()
    seen.report.healed("i1", "sending was enabled")
    facts = {"instance_id": "i1", "what": "sending was enabled"}
    assert seen.lines() == [("warning", "sending state differs from SES", facts)]
    assert seen.mails == [("operator", "Sending state differed: i1", "Instance i1: sending was enabled.\n")]
    assert seen.counts == {"StatesReconciled": 1}


def test_rates_of_sess_that_are_worse_than_ours_are_told_to_the_operator() -> None:
    """With both figures and the command."""
    seen = Seen()
    seen.report.differs("i1", COUNTS, SesRates(bounce_rate=0.06, complaint_rate=None))
    rates = {"ses_bounce_rate": 0.06, "ses_complaint_rate": None}
    facts = {"instance_id": "i1", **FIGURES, **rates}
    assert seen.lines() == [("warning", "rates reported by SES are above ours", facts)]
    assert seen.counts == {"RatesDiffered": 1}
    [(topic, subject, text)] = seen.mails
    assert (topic, subject) == ("operator", "SES reports a worse reputation: i1")
    assert (
        text
        == """\
Amazon SES reports rates that would pause this instance; ours do not.
  instance_id: i1
  bounces: 1
  complaints: 2
  delivered: 2
  bounce_rate: 0.333333
  complaint_rate: 1.0
  since: 2026-11-21T04
  ses_bounce_rate: 0.06
  ses_complaint_rate: None
Nothing was paused. Look into it: python -m ops reputation i1
"""
    )


def test_a_run_of_reconciliation_has_one_line_and_a_metric_for_each_number() -> None:
    """The dashboard shows the instances that are warned and paused; overdue ones have an alarm."""
    seen = Seen()
    seen.report.reconciled(Reconciled(watched=1, overdue=2, warned=3, paused=4, checked=5, unchecked=6))
    facts = {"watched": 1, "overdue": 2, "warned": 3, "paused": 4, "checked": 5, "unchecked": 6}
    assert seen.lines() == [("info", "reconciliation finished", facts)]
    assert seen.counts == {
        "OverdueTransitions": 2,
        "InstancesWarned": 3,
        "InstancesPaused": 4,
        "InstancesChecked": 5,
        "InstancesUnchecked": 6,
    }
