"""The sweep finishes what was left, and compares with SES."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lambdas.domain.reputation.evaluation import Reason, SendingState
from lambdas.domain.reputation.sending_status import LEASE, Cause, SendingStatus
from lambdas.reputation.evaluate import EvaluationKind
from lambdas.reputation.reconcile import OVERDUE, SLOTS, Reconciled, slot_of
from tests.feedback.fakes import Killed
from tests.reputation.fakes import World, rates

NOW = datetime(2026, 11, 21, 0, 5, tzinfo=UTC)  # slot 0, where the instance is
PAUSED = SendingStatus(instance_id="i1", state=SendingState.PAUSED, version=1)


def active(**counts: int) -> World:
    """A world whose instance sent within the day."""
    world = World()
    world.count(bucket="2026-11-21T00", **{"deliveries": 1_000, **counts})
    return world


def test_what_was_claimed_and_not_done_is_finished() -> None:
    """The claimer died; its time is over."""
    world = active(bounces=50)
    world.fate.at = 3
    with pytest.raises(Killed):
        world.evaluator.evaluate("i1", claimers=frozenset({"record-1"}), now=NOW)
    reconciled = world.reconciler.reconcile(now=NOW + LEASE)
    assert (reconciled.watched, reconciled.overdue) == (1, 0)
    assert world.sends == {"i1": False}
    assert len(world.notifications) == 2


def test_what_cannot_be_done_for_a_quarter_of_an_hour_is_overdue() -> None:
    """That number is alarmed."""
    world = active(bounces=50)
    world.broken = {"sns"}
    with pytest.raises(TimeoutError):
        world.evaluator.evaluate("i1", claimers=frozenset({"record-1"}), now=NOW)
    assert world.reconciler.reconcile(now=NOW + timedelta(minutes=1)).overdue == 0
    assert world.reconciler.reconcile(now=NOW + OVERDUE).overdue == 1
    world.broken = set()
    assert world.reconciler.reconcile(now=NOW + 2 * OVERDUE).overdue == 0


def test_a_warned_instance_recovers_without_another_bounce() -> None:
    """Deliveries wake no judge: the sweep judges whoever is warned."""
    world = active(bounces=25)
    world.evaluator.evaluate("i1", claimers=frozenset({"record-1"}), now=NOW)
    world.count(bucket="2026-11-21T00", bounces=25, deliveries=9_000)
    world.reconciler.reconcile(now=NOW)
    assert world.statuses.load("i1").state is SendingState.HEALTHY


def test_a_decision_that_only_lacked_volume_is_passed_when_deliveries_bring_it() -> None:
    """They wake no judge; the sweep does, and stops looking when nothing more is to be expected."""
    world = active(bounces=20, deliveries=100)
    evaluation = world.evaluator.evaluate("i1", claimers=frozenset({"record-1"}), now=NOW)
    assert evaluation.kind is EvaluationKind.UNCHANGED
    assert world.statuses.watched() == ["i1"]
    world.reconciler.reconcile(now=NOW)
    assert world.statuses.watched() == ["i1"]
    world.count(bucket="2026-11-21T00", bounces=20, deliveries=480)
    world.reconciler.reconcile(now=NOW)
    assert world.statuses.load("i1").state is SendingState.PAUSED
    honest = active(bounces=6, deliveries=200)
    honest.evaluator.evaluate("i1", claimers=frozenset({"record-1"}), now=NOW)
    assert honest.statuses.watched() == ["i1"]
    honest.count(bucket="2026-11-21T00", bounces=6, deliveries=900)
    honest.reconciler.reconcile(now=NOW)
    assert honest.statuses.watched() == []


def test_one_that_breaks_keeps_the_sweep_from_no_other() -> None:
    """Its error is told."""
    world = active()
    world.sends = {"i1": True, "i2": True}
    world.broken = {"ses"}
    assert world.reconciler.reconcile(now=NOW).checked == 2
    assert [name for name, _ in world.failures] == ["i1", "i2"]


def test_sending_that_was_enabled_behind_our_back_is_paused_again() -> None:
    """By a hand in the console, or a restore."""
    world = active()
    world.statuses.kept["i1"] = PAUSED
    world.reconciler.reconcile(now=NOW)
    assert world.sends == {"i1": False}
    assert len(world.healings) == 1


def test_sending_that_somebody_else_disabled_is_kept_paused_and_told() -> None:
    """Never enabled by a machine: whoever did it had a reason."""
    world = active()
    world.sends = {"i1": False}
    world.reconciler.reconcile(now=NOW)
    status = world.statuses.load("i1")
    assert status.state is SendingState.PAUSED
    assert world.statuses.claims[0].cause is Cause.OUTSIDE
    assert "disabled in Amazon SES" in world.notifications[0][2]
    assert len(world.healings) == 1


def test_a_state_that_is_about_to_be_acted_on_is_not_healed() -> None:
    """A pause whose switch failed differs from SES until it is retried."""
    world = active()
    world.broken = {"ses"}
    world.count(bucket="2026-11-21T00", bounces=90, deliveries=1_000)
    with pytest.raises(TimeoutError):
        world.evaluator.evaluate("i1", claimers=frozenset({"record-1"}), now=NOW)
    world.broken = set()
    world.statuses.kept["i1"] = replace(world.statuses.load("i1"))
    world.reconciler.check(["i1"], now=NOW)
    assert not world.healings


def test_an_instance_that_sent_nothing_for_a_day_is_left_alone() -> None:
    """SES takes one call a second."""
    world = World()
    world.count(bucket="2026-11-19T23", deliveries=1_000)
    world.sends = {"i1": False}
    assert world.reconciler.reconcile(now=NOW) == Reconciled(watched=0, overdue=0, checked=0, unchecked=0)


def test_an_instance_whose_set_is_gone_is_forgotten() -> None:
    """Nothing watches it any longer."""
    world = active()
    world.statuses.kept["i1"] = PAUSED
    world.sends = {}
    world.reconciler.check(["i1"], now=NOW)
    assert not world.statuses.kept


def test_a_watched_instance_that_was_deprovisioned_is_forgotten() -> None:
    """Paused for good, it would be watched for ever."""
    world = World(sends={}, gone={"i1"})
    world.statuses.kept["i1"] = PAUSED
    assert world.reconciler.reconcile(now=NOW) == Reconciled(watched=1, overdue=0, checked=0, unchecked=0)
    assert not world.statuses.kept


def test_warned_and_paused_instances_are_counted_in_every_run() -> None:
    """As they are after the run: one that recovers in it counts no more."""
    world = active(bounces=25)
    world.evaluator.evaluate("i1", claimers=frozenset({"record-1"}), now=NOW)
    reconciled = world.reconciler.reconcile(now=NOW)
    assert (reconciled.warned, reconciled.paused) == (1, 0)
    world.count(bucket="2026-11-21T00", bounces=60)
    reconciled = world.reconciler.reconcile(now=NOW)
    assert (reconciled.warned, reconciled.paused) == (0, 1)


def test_what_there_is_no_time_for_is_counted() -> None:
    """And checked the next day."""
    world = active()
    world.sends = {"i1": True, "i2": True, "i3": True}
    world.leaves = 2
    reconciled = world.reconciler.reconcile(now=NOW)
    assert (reconciled.checked, reconciled.unchecked) == (2, 1)
    assert world.leaves == -1  # nobody waits for leave in vain twice


def test_a_rate_of_sess_above_ours_pauses_above_our_floor() -> None:
    """It knows bounces that we do not; ours are enough to believe it."""
    world = active(bounces=10)
    world.facts = {"domain": "agency.gov"}
    world.ses_rates = dict(rates(bounce_rate=0.06, complaint_rate=0.001))
    world.reconciler.reconcile(now=NOW)
    [pause] = world.statuses.claims
    assert (pause.cause, pause.reasons, pause.domain) == (Cause.SES_RATES, (Reason.BOUNCES,), "agency.gov")
    assert pause.why == "SES's rates: bounces 6.000%, complaints 0.100%."
    assert world.sends == {"i1": False}
    assert "bounces 6.000%" in world.notifications[0][2]


@pytest.mark.parametrize(
    ("counts", "theirs"), [({"bounces": 4}, {"bounce_rate": 0.5}), ({"complaints": 2}, {"complaint_rate": 0.01})]
)
def test_below_our_floor_the_operator_is_told_instead(counts: dict[str, int], theirs: dict[str, float]) -> None:
    """A representative volume of SES's may be two mails."""
    world = active(**counts)
    world.ses_rates = dict(rates(**theirs))
    world.reconciler.reconcile(now=NOW)
    assert world.differences == ["i1"]
    assert world.sends == {"i1": True}


def test_after_a_resume_sess_rates_pause_nobody_for_a_window() -> None:
    """They still hold what the operator has forgiven."""
    world = active(bounces=10)
    world.ses_rates = dict(rates(bounce_rate=0.06))
    world.statuses.kept["i1"] = SendingStatus(instance_id="i1", version=2, baseline=NOW - timedelta(minutes=5))
    world.count(bucket="2026-11-21T00:00:00", bounces=10, deliveries=1_000)
    world.reconciler.check(["i1"], now=NOW)
    assert world.differences == ["i1"]
    assert world.sends == {"i1": True}


def test_rates_of_sess_that_are_fine_or_unknown_change_nothing() -> None:
    """Nobody is told anything."""
    world = active(bounces=10)
    world.ses_rates = dict(rates(bounce_rate=0.01))
    world.reconciler.reconcile(now=NOW)
    assert not world.notifications
    assert not world.differences


def test_every_slice_has_its_quarter_of_an_hour() -> None:
    """A run each; all of them in a day."""
    day = [NOW.replace(hour=0, minute=1) + timedelta(minutes=15 * n) for n in range(SLOTS)]
    assert [slot_of(moment) for moment in day] == list(range(SLOTS))


@pytest.mark.parametrize(
    ("counts", "theirs", "paused"),
    [
        ({"bounces": 10}, {"bounce_rate": 0.04}, True),
        ({"bounces": 10}, {"bounce_rate": 0.0399}, False),
        ({"complaints": 13, "deliveries": 40_000}, {"complaint_rate": 0.0008}, True),
        ({"complaints": 13, "deliveries": 40_000}, {"complaint_rate": 0.00079}, False),
    ],
)
def test_a_rate_of_sess_counts_from_the_pause_threshold_on(
    counts: dict[str, int], theirs: dict[str, float], paused: bool
) -> None:
    """The same figure as for our own rates."""
    world = active(**counts)
    world.ses_rates = dict(rates(**theirs))
    world.reconciler.check(["i1"], now=NOW)
    assert world.sends == {"i1": not paused}
    assert not world.differences


def test_a_resume_is_behind_sess_rates_after_a_window() -> None:
    """30 days: then they hold nothing that was forgiven."""
    world = active(bounces=10)
    world.ses_rates = dict(rates(bounce_rate=0.06))
    world.statuses.kept["i1"] = SendingStatus(instance_id="i1", version=2, baseline=NOW - timedelta(days=30))
    world.reconciler.check(["i1"], now=NOW)
    assert world.sends == {"i1": False}


def test_an_instance_that_sent_within_the_day_is_compared() -> None:
    """23 hours ago, as well as in this hour."""
    world = World()
    world.count(bucket="2026-11-20T01", deliveries=1_000)
    assert world.reconciler.check(["i1"], now=NOW) == (1, 0)
    assert world.reconciler.check(["i1"], now=NOW + timedelta(hours=2)) == (0, 0)


def test_a_warned_instance_is_evaluated_in_each_run_and_stays_watched() -> None:
    """Only one that is healthy, with nothing to wait for, is watched no more."""
    world = active(bounces=25)
    world.evaluator.evaluate("i1", claimers=frozenset({"record-1"}), now=NOW)
    world.statuses.watch("i1")
    world.reconciler.reconcile(now=NOW)
    assert "i1" in world.statuses.undecided
    assert [evaluation.kind for evaluation in world.evaluations] == [EvaluationKind.UNCHANGED]
    world.count(bucket="2026-11-21T00", bounces=25, deliveries=9_000)
    world.reconciler.reconcile(now=NOW)
    assert "i1" in world.statuses.undecided  # it has recovered in this run: the next one looks once more
    world.reconciler.reconcile(now=NOW)
    assert "i1" not in world.statuses.undecided


def test_a_transition_is_overdue_after_a_quarter_of_an_hour() -> None:
    """So the documentation says of the alarm."""
    assert timedelta(minutes=15) == OVERDUE
