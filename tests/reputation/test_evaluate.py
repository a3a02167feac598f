"""One act a transition, whoever judges, whenever it dies."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lambdas.domain.reputation.evaluation import Reason, SendingState
from lambdas.domain.reputation.ledger import LedgerEntry
from lambdas.domain.reputation.ledger import LedgerKind as LedgerKind
from lambdas.domain.reputation.sending_status import LEASE, Cause, Pending, SendingStatus
from lambdas.reputation.evaluate import Contended, Evaluation, EvaluationKind
from tests.feedback.fakes import Killed
from tests.reputation.fakes import ADMIN_TOPIC, OPERATOR_TOPIC, World

NOW = datetime(2026, 11, 21, 5, 30, tzinfo=UTC)
FIRST, AGAIN, OTHER = frozenset({"record-1"}), frozenset({"record-1", "record-2"}), frozenset({"record-9"})


def evaluate(world: World, claimers: frozenset[str] = FIRST, now: datetime = NOW) -> Evaluation:
    """Judge i1."""
    return world.evaluator.evaluate("i1", claimers=claimers, now=now)


def told(world: World) -> list[tuple[str, str]]:
    """Who was told what, by letter."""
    return [(topic, subject) for topic, subject, _ in world.notifications]


def test_a_healthy_instance_is_left_alone() -> None:
    """Nothing is written."""
    world = World()
    world.count(bounces=10, deliveries=990)
    assert evaluate(world).kind is EvaluationKind.UNCHANGED
    assert not world.statuses.kept


def test_a_warning_tells_admin_and_operator_once() -> None:
    """And pauses nobody."""
    world = World()
    world.count(bounces=20, deliveries=980)
    assert evaluate(world).kind is EvaluationKind.MOVED
    assert evaluate(world, OTHER).kind is EvaluationKind.UNCHANGED
    subject = "Sending reputation warning: i1"
    assert told(world) == [(ADMIN_TOPIC, subject), (OPERATOR_TOPIC, subject)]
    assert world.sends == {"i1": True}
    assert world.statuses.load("i1").state is SendingState.WARNED


def test_a_pause_stops_sending_and_tells_everyone() -> None:
    """SES first, then the application, then people."""
    world = World()
    world.count(bounces=40, deliveries=960)
    evaluation = evaluate(world)
    assert evaluation.transition is not None
    assert evaluation.transition.reasons == (Reason.BOUNCES,)
    assert world.sends == {"i1": False}
    assert [delivery.type for delivery in world.deliveries] == ["reputation.paused"]
    assert [topic for topic, _ in told(world)] == [ADMIN_TOPIC, OPERATOR_TOPIC]
    assert world.statuses.load("i1").pending is None


def test_the_letter_holds_the_evidence_and_what_to_do() -> None:
    """Counts, rates, window, the latest of the ledger; the operator's has the command."""
    world = World()
    world.count(bounces=40, complaints=2, deliveries=960)
    world.ledger = [
        LedgerEntry(
            key="f1",
            kind=LedgerKind.BOUNCE,
            bucket="2026-11-21T05",
            timestamp=NOW,
            counted=1,
            message_id="m-1",
            reason="NoEmail",
            recipients=("joe@shop.example",),
            sent_at=None,
        )
    ]
    evaluate(world)
    (_, _, admins), (_, _, operators) = world.notifications
    for message in (admins, operators):
        assert "since 2026-11-21T05 (UTC)" in message
        assert "4.00%" in message
        assert "bounce (NoEmail) joe@shop.example, mail m-1" in message
        assert "paused at 4 % bounces or 0.08 % complaints" in message
    assert "ask the operator" in admins
    assert "python -m ops resume i1" in operators


def test_the_webhook_is_told_with_the_figures() -> None:
    """So that an application can stop its queue."""
    world = World()
    world.count(bounces=40, deliveries=960)
    evaluate(world)
    (delivery,) = world.deliveries
    assert '"reasons":["bounce_rate"]' in delivery.body
    assert '"bounce_rate":0.04' in delivery.body


def test_recovery_is_told_once() -> None:
    """Below the warning by a margin."""
    world = World()
    world.count(bounces=20, deliveries=980)
    evaluate(world)
    world.count(bounces=20, deliveries=9_980)
    evaluate(world)
    evaluate(world)
    assert [subject for _, subject in told(world)[2:]] == ["Sending reputation recovered: i1"] * 2


def test_a_warned_instance_can_be_paused() -> None:
    """And a paused one is not warned."""
    world = World()
    world.count(bounces=20, deliveries=980)
    evaluate(world)
    world.count(bounces=60, deliveries=980)
    evaluate(world)
    world.count(bounces=25, deliveries=980)
    evaluate(world)
    assert [claim.after for claim in world.statuses.claims] == [SendingState.WARNED, SendingState.PAUSED]


def test_of_two_judges_one_acts() -> None:
    """The other finds the version moved, judges anew and leaves it to the first."""
    world = World()
    world.count(bounces=40, deliveries=960)
    rival = World()
    rival.count(bounces=40, deliveries=960)
    rival.fate.at = 2
    with pytest.raises(Killed):
        evaluate(rival, OTHER)
    world.statuses.rivals = [rival.statuses.load("i1")]
    assert evaluate(world).kind is EvaluationKind.BUSY
    assert not world.notifications
    assert not world.statuses.claims


def test_a_judge_that_always_comes_second_gives_up_for_now() -> None:
    """The record comes again."""
    world = World()
    world.count(bounces=40, deliveries=960)
    world.statuses.rivals = [SendingStatus(instance_id="i1", version=version) for version in range(1, 9)]
    with pytest.raises(Contended):
        evaluate(world)


STEPS = 15  # places to die at in a pause: before and after each write and each call


@pytest.mark.parametrize("step", range(STEPS))
def test_killed_anywhere_and_run_again_the_pause_is_whole(step: int) -> None:
    """The stream brings the same record again: it may go on at once with its own claim."""
    world = World()
    world.count(bounces=40, deliveries=960)
    world.fate.at = step
    with pytest.raises(Killed):
        evaluate(world)
    evaluate(world, AGAIN)
    assert world.sends == {"i1": False}
    assert {delivery.id for delivery in world.deliveries} == {world.deliveries[0].id}
    assert {topic for topic, _ in told(world)} == {ADMIN_TOPIC, OPERATOR_TOPIC}
    assert world.statuses.load("i1").pending is None
    assert len(world.statuses.claims) == 1


def test_no_step_is_missing_from_the_test_above() -> None:
    """A pause passes that many places to die at; what is done is repeated at most once."""
    world = World()
    world.count(bounces=40, deliveries=960)
    evaluate(world)
    assert world.fate.step == STEPS


@pytest.mark.parametrize("service", ["ses", "sqs", "sns"])
def test_a_call_that_fails_is_tried_again_until_it_succeeds(service: str) -> None:
    """What was done before it is not repeated, and anyone may take it up at once."""
    world = World()
    world.count(bounces=40, deliveries=960)
    world.broken = {service}
    with pytest.raises(TimeoutError):
        evaluate(world)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            evaluate(world, OTHER)
    world.broken = set()
    finished = evaluate(world, OTHER)
    assert (finished.kind, finished.transition) == (EvaluationKind.FINISHED, world.statuses.claims[0])
    assert world.switched == [("i1", False)]
    assert len(world.deliveries) == 1
    assert len(world.notifications) == 2


def test_while_a_claimer_acts_others_keep_off_and_when_it_died_they_finish() -> None:
    """Its time is longer than its function's."""
    world = World()
    world.count(bounces=40, deliveries=960)
    world.fate.at = 4
    with pytest.raises(Killed):
        evaluate(world)
    assert evaluate(world, OTHER, NOW + LEASE - timedelta(seconds=1)).kind is EvaluationKind.BUSY
    assert evaluate(world, OTHER, NOW + LEASE).kind is EvaluationKind.FINISHED
    assert len(world.notifications) == 2


def test_a_pause_supersedes_a_warning_that_could_not_be_told() -> None:
    """The mail service is down; the switch is not."""
    world = World()
    world.count(bounces=20, deliveries=980)
    world.broken = {"sns"}
    with pytest.raises(TimeoutError):
        evaluate(world)
    world.count(bounces=60, deliveries=980)
    with pytest.raises(TimeoutError):
        evaluate(world)
    assert world.sends == {"i1": False}
    world.broken = set()
    evaluate(world, OTHER)
    assert {subject for _, subject in told(world)} == {"Sending is paused: i1"}


def test_a_baseline_is_not_looked_behind() -> None:
    """What an operator has forgiven does not pause again."""
    world = World()
    world.count(bucket="2026-11-21T05", bounces=500, deliveries=500)
    world.count(bucket="2026-11-21T05:10:00", deliveries=600)
    world.statuses.kept["i1"] = SendingStatus(
        instance_id="i1", version=3, baseline=datetime(2026, 11, 21, 5, 10, tzinfo=UTC)
    )
    evaluation = evaluate(world)
    assert evaluation.kind is EvaluationKind.UNCHANGED
    assert (evaluation.reputation.bounces, evaluation.reputation.deliveries) == (0, 600)


def test_a_transition_keeps_the_baseline() -> None:
    """A warning after a resume does not bring the forgiven back."""
    world = World()
    baseline = datetime(2026, 11, 21, 5, 10, tzinfo=UTC)
    world.count(bucket="2026-11-21T05:10:00", bounces=15, deliveries=600)
    world.statuses.kept["i1"] = SendingStatus(instance_id="i1", version=3, baseline=baseline)
    evaluate(world)
    assert world.statuses.load("i1").baseline == baseline
    assert world.statuses.claims[0].cause is Cause.RATES


def test_an_instance_whose_set_is_gone_is_paused_without_fuss() -> None:
    """It was deprovisioned meanwhile."""
    world = World(sends={})
    world.count(bounces=40, deliveries=960)
    assert evaluate(world).kind is EvaluationKind.MOVED


def test_a_second_pause_has_another_id() -> None:
    """The webhook of a pause after a resume must not look like a duplicate of the first."""
    world = World()
    world.count(bounces=40, deliveries=960)
    evaluate(world)
    resumed = replace(world.statuses.load("i1"), state=SendingState.HEALTHY, version=2)
    world.statuses.kept["i1"] = resumed
    evaluate(world)
    first, second = world.deliveries
    assert first.id != second.id


def test_who_moves_an_instance_has_the_claim_for_its_lease() -> None:
    """As the table stored it; the switch in SES waits for leave, before all other calls."""
    world = World()
    world.count(bounces=40, deliveries=960)
    transition = evaluate(world).transition
    assert transition is not None
    assert world.statuses.finished == [
        Pending(transition=transition, done=frozenset(), claimed_by="record-1", claimed_until=NOW + LEASE)
    ]
    assert world.acquired == [NOW]
