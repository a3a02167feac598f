"""A pause is not shed: neither by many small instances, nor by deleting one before its bounces arrive."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lambdas.domain.reputation.evaluation import HourCounts, Reason, Reputation, SendingState
from lambdas.domain.reputation.sending_status import HANDED_OVER, Cause, SendingStatus, mark_of, transition_of
from lambdas.reputation.evaluate import Evaluation, EvaluationKind
from lambdas.reputation.organizations import KEPT_FOR
from tests.reputation.fakes import ADMIN_TOPIC, World

NOW = datetime(2026, 11, 21, 5, 30, tzinfo=UTC)
FIRST = frozenset({"record-1"})
DELETED = NOW - timedelta(minutes=20)
COUNTS = Reputation(bounces=40, complaints=0, deliveries=600, since="2026-11-21T04")


def evaluate(world: World, now: datetime = NOW) -> Evaluation:
    """Judge i1."""
    return world.evaluator.evaluate("i1", claimers=FIRST, now=now)


def of_an_organization(siblings: int, **counts: int) -> World:
    """A world in which i1 has *siblings* of the same counts."""
    world = World(facts={"organization": "org-1", "domain": "agency.gov"})
    for number in range(siblings):
        name = f"s{number}"
        world.of_others[name] = {"2026-11-21T05": HourCounts(bucket="2026-11-21T05", **counts)}
        world.join("org-1", name, now=NOW)
    return world


def test_forty_small_instances_are_evaluated_together() -> None:
    """Each below every floor; together 10 % of 2,050 bounced."""
    world = of_an_organization(40, bounces=5, deliveries=45)
    world.count(bounces=5, deliveries=45)
    evaluation = evaluate(world)
    assert evaluation.transition is not None
    assert (evaluation.transition.cause, evaluation.transition.reasons) == (Cause.ORGANIZATION, (Reason.BOUNCES,))
    assert (evaluation.transition.reputation.bounces, evaluation.transition.domain) == (5, "agency.gov")
    assert world.sends == {"i1": False}
    admins = next(text for topic, _, text in world.notifications if topic == ADMIN_TOPIC)
    assert "10.00% bounces and 0.000% complaints in 2,050 outcomes" in admins
    assert set(world.statuses.watched()) >= {f"s{number}" for number in range(40)}  # the sweep evaluates them


def test_without_an_organization_an_instance_is_evaluated_alone() -> None:
    """As Kubernetes platforms may have none."""
    world = of_an_organization(40, bounces=5, deliveries=45)
    world.facts = {}
    world.count(bounces=5, deliveries=45)
    assert evaluate(world).kind is EvaluationKind.UNCHANGED
    assert set(world.joined) == {"org-1"}


def test_an_instance_without_bounces_and_complaints_does_not_look_at_its_organization() -> None:
    """Most do not: nothing is read or written for them."""
    world = of_an_organization(40, bounces=5, deliveries=45)
    world.count(deliveries=45)
    assert evaluate(world).kind is EvaluationKind.UNCHANGED
    assert "i1" not in world.joined["org-1"]
    assert not world.organizations.sums


@pytest.mark.parametrize(("bounces", "deliveries"), [(4, 16), (5, 495)])
def test_an_instance_below_its_own_warning_is_left_alone(bounces: int, deliveries: int) -> None:
    """Whatever its siblings do; four bounces say too little."""
    world = of_an_organization(3, bounces=100, deliveries=400)
    world.count(bounces=bounces, deliveries=deliveries)
    assert evaluate(world).kind is EvaluationKind.UNCHANGED
    assert world.joined["org-1"][-1] == "i1"


def test_what_a_paused_sibling_did_does_not_pause_one_that_is_only_warned() -> None:
    """It sends no more; the low floors hold all the same: 100 outcomes, eight bounces, 4 %."""
    world = of_an_organization(1, bounces=400, deliveries=600)
    world.statuses.kept["s0"] = SendingStatus(instance_id="s0", state=SendingState.PAUSED, version=1)
    world.count(bounces=12, deliveries=488)
    warned = evaluate(world)
    assert warned.transition is not None
    assert warned.transition.after is SendingState.WARNED

    world = of_an_organization(1, bounces=400, deliveries=600)
    world.statuses.kept["s0"] = SendingStatus(instance_id="s0", state=SendingState.PAUSED, version=1)
    world.count(bounces=7, deliveries=93)
    assert evaluate(world).transition is None
    world.count(bounces=8, deliveries=93)
    paused = evaluate(world)
    assert paused.transition is not None
    assert (paused.transition.after, paused.transition.cause) == (SendingState.PAUSED, Cause.ORGANIZATION)


def test_forty_instances_are_paused_one_after_the_other_until_little_is_left() -> None:
    """Those that are paused count no more for the others, and what is left is less than one may send."""
    world = of_an_organization(40, bounces=5, deliveries=8)
    paused = 0
    for number in range(40):
        now = NOW + number * KEPT_FOR
        moved = world.evaluator.evaluate(f"s{number}", claimers=FIRST, now=now).transition
        paused += moved is not None and moved.after is SendingState.PAUSED
    assert paused >= 36


def test_an_organization_below_its_floor_or_threshold_pauses_nobody() -> None:
    """It has the floors of an instance."""
    for siblings, counts in ((3, {"bounces": 5, "deliveries": 95}), (20, {"bounces": 1, "deliveries": 99})):
        world = of_an_organization(siblings, **counts)
        world.count(bounces=5, deliveries=95)
        assert evaluate(world).kind is EvaluationKind.UNCHANGED


def test_what_an_operator_forgave_one_instance_does_not_weigh_on_another() -> None:
    """Each instance's counters begin at its own baseline."""
    world = of_an_organization(1, bounces=100, deliveries=400)
    world.statuses.kept["s0"] = SendingStatus(instance_id="s0", version=2, baseline=NOW)
    world.count(bounces=5, deliveries=95)
    assert evaluate(world).kind is EvaluationKind.UNCHANGED


def test_an_organizations_sum_is_kept_for_a_short_while() -> None:
    """A flood of its events does not read all its counters for each."""
    world = of_an_organization(1, bounces=0, deliveries=400)
    world.count(bounces=5, deliveries=95)
    assert evaluate(world).kind is EvaluationKind.UNCHANGED
    world.of_others["s0"] = {"2026-11-21T05": HourCounts(bucket="2026-11-21T05", bounces=100, deliveries=400)}
    assert evaluate(world, NOW + KEPT_FOR - timedelta(seconds=1)).kind is EvaluationKind.UNCHANGED
    assert evaluate(world, NOW + KEPT_FOR).kind is EvaluationKind.MOVED


def test_bounces_that_arrive_after_the_deletion_pause_and_mark() -> None:
    """The transition knows domain and deletion, so that its claim writes the mark; nobody is warned of what is gone."""
    world = World(facts={"domain": "agency.gov", "deleted": True, "deleted_at": DELETED}, sends={})
    world.count(bounces=15, deliveries=485)
    assert evaluate(world).kind is EvaluationKind.UNCHANGED
    world.count(bounces=40, deliveries=460)
    evaluation = evaluate(world)
    assert evaluation.transition is not None
    assert (evaluation.transition.after, evaluation.transition.marks) == (SendingState.PAUSED, True)
    assert evaluation.transition.deleted_at == DELETED


def test_a_deleted_instance_paused_with_its_organization_marks_with_its_deletion_too() -> None:
    """Its own rates alone would not pause it."""
    world = of_an_organization(1, bounces=100, deliveries=400)
    world.facts |= {"deleted": True, "deleted_at": DELETED}
    world.count(bounces=10, deliveries=95)
    paused = evaluate(world).transition
    assert paused is not None
    assert (paused.cause, paused.marks, paused.deleted_at) == (Cause.ORGANIZATION, True, DELETED)


def marked(world: World, instance_id: str = "earlier", *, deleted_at: datetime | None = DELETED) -> None:
    """An earlier instance of agency.gov was paused, after it was deleted if *deleted_at* is given."""
    pause = transition_of(
        SendingStatus(instance_id=instance_id),
        SendingState.PAUSED,
        COUNTS,
        cause=Cause.RATES,
        now=NOW,
        domain="agency.gov",
    )
    pause = replace(pause, deleted_at=deleted_at, reasons=(Reason.BOUNCES,))
    world.marks["agency.gov"] = mark_of(pause, since=NOW)


def test_an_instance_made_before_the_last_bounces_of_its_predecessor_arrived_is_paused() -> None:
    """Deleting and making anew at once is no way around."""
    world = World(facts={"domain": "agency.gov"})
    marked(world)
    world.count(bounces=1, deliveries=10)
    evaluation = evaluate(world)
    assert evaluation.transition is not None
    assert (evaluation.transition.cause, evaluation.transition.reputation) == (Cause.EARLIER_PAUSE, COUNTS)
    assert (evaluation.transition.reasons, evaluation.transition.domain) == ((Reason.BOUNCES,), "agency.gov")
    assert evaluation.transition.until == world.marks["agency.gov"].until
    assert not evaluation.transition.marks


@pytest.mark.parametrize(
    ("created_at", "deleted_at", "paused"),
    [
        (DELETED, DELETED, True),
        (DELETED + timedelta(minutes=5), DELETED, True),
        (DELETED - timedelta(seconds=1), DELETED, False),
        (NOW, None, False),
        (None, DELETED, False),
    ],
)
def test_an_instance_below_is_paused_if_it_was_created_after_the_deletion(
    created_at: datetime | None, deleted_at: datetime | None, paused: bool
) -> None:
    """An older child did nothing; a pause before the deletion was there when a later child was created; an item of
    an earlier version does not say.
    """
    world = World(facts={"domain": "new.mail.agency.gov", "created_at": created_at})
    marked(world, deleted_at=deleted_at)
    world.count(bounces=1, deliveries=10)
    transition = evaluate(world).transition
    assert (transition is not None) is paused
    if transition is not None:
        assert (transition.cause, transition.domain) == (Cause.EARLIER_PAUSE, "new.mail.agency.gov")
        assert transition.until == world.marks["agency.gov"].until
        world.statuses.kept["i1"] = SendingStatus(instance_id="i1", version=2, baseline=NOW)
        assert evaluate(world).kind is EvaluationKind.UNCHANGED  # once an operator resumed it


def test_a_deleted_instance_is_not_paused_by_the_mark_of_another() -> None:
    """It sends nothing: only its own rates say something of the next one."""
    world = World(facts={"domain": "agency.gov", "deleted": True, "deleted_at": DELETED}, sends={})
    marked(world)
    world.count(bounces=1, deliveries=10)
    assert evaluate(world).kind is EvaluationKind.UNCHANGED


def test_an_instance_above_a_mark_is_left_alone() -> None:
    """The mark stands on the child of the paused instance, not on its parent."""
    world = World(facts={"domain": "gov", "created_at": NOW})
    marked(world)
    world.count(bounces=1, deliveries=10)
    assert evaluate(world).kind is EvaluationKind.UNCHANGED


def test_a_mark_of_its_own_or_one_that_is_forgiven_does_not_pause() -> None:
    """After a resume its mark may still be read for a moment."""
    world = World(facts={"domain": "agency.gov"})
    marked(world, "i1")
    assert evaluate(world).kind is EvaluationKind.UNCHANGED
    marked(world)
    world.statuses.kept["i1"] = SendingStatus(instance_id="i1", version=2, baseline=NOW)
    assert evaluate(world).kind is EvaluationKind.UNCHANGED


def until(world: World, end: datetime, cause: Cause = Cause.EARLIER_PAUSE) -> None:
    """i1 is paused until *end*."""
    world.sends["i1"] = False
    world.statuses.kept["i1"] = SendingStatus(
        instance_id="i1", state=SendingState.PAUSED, version=1, cause=cause, until=end
    )


@pytest.mark.parametrize("cause", [Cause.EARLIER_PAUSE, Cause.DAILY_CAP])
def test_a_pause_with_an_end_ends_by_itself_and_no_sooner(cause: Cause) -> None:
    """The sweep looks at all that are paused."""
    world = World(facts={"domain": "agency.gov"})
    until(world, NOW, cause)
    assert evaluate(world, NOW - timedelta(seconds=1)).kind is EvaluationKind.UNCHANGED
    evaluation = evaluate(world)
    assert evaluation.transition is not None
    assert (evaluation.transition.after, evaluation.transition.cause) == (SendingState.HEALTHY, cause)
    assert evaluation.transition.domain == "agency.gov"
    assert not evaluation.transition.lifts_mark
    assert world.sends == {"i1": True}
    assert "The pause ended by itself" in world.notifications[0][2]
    assert world.statuses.load("i1").until is None


def test_rates_pause_for_good_who_is_paused_until_midnight() -> None:
    """Its bounces arrive meanwhile."""
    world = World(facts={"domain": "agency.gov"})
    until(world, NOW, Cause.DAILY_CAP)
    world.count(bounces=40, deliveries=600)
    evaluation = evaluate(world)
    assert evaluation.transition is not None
    assert (evaluation.transition.after, evaluation.transition.until, evaluation.transition.marks) == (
        SendingState.PAUSED,
        None,
        True,
    )
    assert evaluate(world, NOW + timedelta(days=9)).kind is EvaluationKind.UNCHANGED
    assert world.sends == {"i1": False}


def test_what_was_handed_over_is_acted_on_at_once() -> None:
    """By whoever hears of it first: the broker and the portal claim, this function acts."""
    world = World()
    pause = transition_of(
        SendingStatus(instance_id="i1"), SendingState.PAUSED, COUNTS, cause=Cause.EARLIER_PAUSE, now=NOW
    )
    assert world.statuses.claim(SendingStatus(instance_id="i1"), pause, claimer=HANDED_OVER, baseline=None, now=NOW)
    assert evaluate(world).kind is EvaluationKind.FINISHED
    assert world.sends == {"i1": False}
    assert len(world.notifications) == 2


def test_on_probation_the_low_floors_hold_and_then_no_longer() -> None:
    """Seven days."""
    world = World()
    world.count(bounces=10, deliveries=90)
    world.statuses.kept["i1"] = SendingStatus(instance_id="i1", version=2, probation_until=NOW)
    assert evaluate(world).kind is EvaluationKind.UNCHANGED
    evaluation = evaluate(world, NOW - timedelta(seconds=1))
    assert evaluation.transition is not None
    assert evaluation.transition.after is SendingState.PAUSED
    assert evaluation.transition.probation_until == NOW


def test_an_instance_that_is_gone_is_not_evaluated() -> None:
    """Its counters may change for some days."""
    world = World(gone={"i1"})
    world.count(bounces=40, deliveries=600)
    assert evaluate(world).kind is EvaluationKind.GONE
    assert not world.statuses.claims
