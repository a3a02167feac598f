"""Sending statuses in DynamoDB: claims are conditional, and are kept in the history."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from lambdas.aws.dynamodb.attribute_values import from_item
from lambdas.aws.dynamodb.reputation.sending_status_table import SendingStatusTable
from lambdas.domain.reputation.evaluation import Reason, Reputation, SendingState
from lambdas.domain.reputation.sending_status import LEASE, Cause, Pending, SendingStatus, Transition, TransitionStep
from tests.aws.refusing import THROTTLED, refusing
from tests.aws.tables import dynamodb_with

NOW = datetime(2026, 11, 21, 5, 30, tzinfo=UTC)
COUNTS = Reputation(bounces=40, complaints=0, deliveries=960, since="2026-11-21T04")


@pytest.fixture
def table() -> Iterator[SendingStatusTable]:
    """An empty reputation table."""
    with dynamodb_with("reputation") as client:
        yield SendingStatusTable(client, "reputation")


def pause(status: SendingStatus, **changes: object) -> Transition:
    """A pause for bounces."""
    transition = Transition(
        id=f"{status.instance_id}:{status.version + 1}",
        instance_id=status.instance_id,
        before=status.state,
        after=SendingState.PAUSED,
        at=NOW,
        cause=Cause.RATES,
        reasons=(Reason.BOUNCES,),
        reputation=COUNTS,
    )
    return replace(transition, **changes)  # type: ignore[arg-type]


def claim(table: SendingStatusTable, status: SendingStatus, transition: Transition, **changes: object) -> bool:
    """Claim *transition* as record-1."""
    facts = {"claimer": "record-1", "baseline": None, "now": NOW, **changes}
    return table.claim(status, transition, **facts)  # type: ignore[arg-type]


def pending_of(table: SendingStatusTable) -> Pending:
    """What is pending of i1."""
    pending = table.load("i1").pending
    assert pending is not None
    return pending


def test_an_instance_nobody_spoke_of_is_healthy(table: SendingStatusTable) -> None:
    """And has no history."""
    assert table.load("i1") == SendingStatus(instance_id="i1")
    assert table.history("i1") == []


def test_a_claim_moves_the_instance_and_names_its_claimer(table: SendingStatusTable) -> None:
    """With all that a repetition needs."""
    status = table.load("i1")
    transition = pause(status)
    assert claim(table, status, transition)
    pending = Pending(transition=transition, done=frozenset(), claimed_by="record-1", claimed_until=NOW + LEASE)
    assert table.load("i1") == SendingStatus(
        instance_id="i1",
        state=SendingState.PAUSED,
        since=NOW,
        version=1,
        baseline=None,
        pending=pending,
        cause=Cause.RATES,
    )
    assert table.watched() == ["i1"]
    assert table.history("i1") == [transition]


def test_of_two_claims_on_one_sending_status_one_is_had(table: SendingStatusTable) -> None:
    """The first wins; the other leaves nothing in the history."""
    status = table.load("i1")
    assert claim(table, status, pause(status))
    assert not claim(table, status, pause(status, at=NOW + timedelta(seconds=1)))
    moved = table.load("i1")
    assert claim(table, moved, pause(moved, at=NOW + timedelta(seconds=2)))
    assert not claim(table, moved, pause(moved, at=NOW + timedelta(seconds=3)))
    assert len(table.history("i1")) == 2


def test_steps_are_noted_and_all_done_is_finished(table: SendingStatusTable) -> None:
    """A paused instance stays watched."""
    claim(table, table.load("i1"), pause(table.load("i1")))
    assert table.step_done(pending_of(table), TransitionStep.PAUSE_SENDING)
    assert pending_of(table).left == (
        TransitionStep.NOTIFY_WEBHOOKS,
        TransitionStep.NOTIFY_ADMIN,
        TransitionStep.NOTIFY_OPERATOR,
    )
    table.finish(pending_of(table))
    assert table.load("i1").pending is None
    assert table.load("i1").state is SendingState.PAUSED
    assert table.watched() == ["i1"]


def test_who_recovered_is_no_longer_watched(table: SendingStatusTable) -> None:
    """Nothing is left to be done."""
    status = SendingStatus(instance_id="i1")
    claim(table, status, pause(status, after=SendingState.HEALTHY))
    table.finish(pending_of(table))
    assert table.watched() == []


def test_a_superseded_transition_can_be_neither_noted_nor_finished(table: SendingStatusTable) -> None:
    """Its actor finds out, and stops."""
    claim(table, table.load("i1"), pause(table.load("i1"), after=SendingState.WARNED))
    old = pending_of(table)
    claim(table, table.load("i1"), pause(table.load("i1"), at=NOW + timedelta(seconds=1)))
    assert not table.step_done(old, TransitionStep.NOTIFY_ADMIN)
    assert not table.take_over(old, claimer="sweep", now=NOW)
    table.finish(old)
    table.release(old, now=NOW)
    assert pending_of(table).transition.after is SendingState.PAUSED
    assert pending_of(table).claimed_until == NOW + LEASE


def test_what_is_left_is_taken_over_by_one(table: SendingStatusTable) -> None:
    """Conditional on the claim that was seen."""
    claim(table, table.load("i1"), pause(table.load("i1")))
    seen = pending_of(table)
    later = NOW + LEASE
    assert table.take_over(seen, claimer="sweep", now=later)
    assert not table.take_over(seen, claimer="record-2", now=later)
    assert pending_of(table).claimed_by == "sweep"


def test_a_released_claim_may_be_taken_at_once(table: SendingStatusTable) -> None:
    """Its claimer met a fault."""
    claim(table, table.load("i1"), pause(table.load("i1")))
    table.release(pending_of(table), now=NOW)
    assert pending_of(table).may_be_taken(frozenset({"other"}), now=NOW)


def test_a_baseline_stays_until_there_is_another(table: SendingStatusTable) -> None:
    """Whatever moves the instance."""
    claim(table, table.load("i1"), pause(table.load("i1")), baseline=NOW)
    status = table.load("i1")
    assert status.baseline == NOW
    claim(table, status, pause(status, at=NOW + timedelta(seconds=1)), baseline=status.baseline)
    assert table.load("i1").baseline == NOW


def test_an_instance_that_is_gone_is_forgotten_but_for_its_history(table: SendingStatusTable) -> None:
    """Audits outlive instances."""
    claim(table, table.load("i1"), pause(table.load("i1")))
    table.forget("i1")
    assert table.load("i1") == SendingStatus(instance_id="i1")
    assert table.watched() == []
    assert len(table.history("i1")) == 1


def test_who_is_undecided_is_watched_until_nothing_is_to_be_expected(table: SendingStatusTable) -> None:
    """But a claim that came in between keeps it watched."""
    table.watch("i1")
    assert table.watched() == ["i1"]
    table.unwatch("i1")
    assert table.watched() == []
    claim(table, table.load("i1"), pause(table.load("i1")))
    table.unwatch("i1")
    assert table.watched() == ["i1"]


def cancelled(*reasons: str) -> SendingStatusTable:
    """A table that cancels every transaction."""
    return SendingStatusTable(refusing("TransactionCanceledException", reasons=reasons), "reputation")


@pytest.mark.parametrize("reason", ["ConditionalCheckFailed", "TransactionConflict"])
def test_a_claim_that_another_was_quicker_with_is_lost(reason: str) -> None:
    """Before it or at the same moment."""
    status = SendingStatus(instance_id="i1")
    assert not claim(cancelled(reason, "None", "None"), status, pause(status))


@pytest.mark.parametrize("reasons", [["ThrottlingError", "None"], ["ValidationError"], ["None"]])
def test_a_claim_cancelled_for_another_reason_is_told(reasons: list[str]) -> None:
    """Taken for lost, nobody would act."""
    status = SendingStatus(instance_id="i1")
    with pytest.raises(ClientError):
        claim(cancelled(*reasons), status, pause(status))


def test_no_other_error_is_taken_for_a_superseded_transition() -> None:
    """A throttled note or take-over must be tried again."""
    throttled = SendingStatusTable(refusing(THROTTLED), "reputation")
    status = SendingStatus(instance_id="i1")
    pending = Pending(transition=pause(status), done=frozenset(), claimed_by="record-1", claimed_until=NOW)
    for call in (
        lambda: claim(throttled, status, pause(status)),
        lambda: throttled.take_over(pending, claimer="sweep", now=NOW),
        lambda: throttled.step_done(pending, TransitionStep.PAUSE_SENDING),
        lambda: throttled.release(pending, now=NOW),
        lambda: throttled.finish(pending),
        lambda: throttled.watch("i1"),
        lambda: throttled.unwatch("i1"),
    ):
        with pytest.raises(ClientError):
            call()


def test_who_takes_over_has_the_lease_and_nobody_else_until_it_ends(table: SendingStatusTable) -> None:
    """So that two do not act: a third finds a lease that runs."""
    claim(table, table.load("i1"), pause(table.load("i1")))
    later = NOW + LEASE
    assert table.take_over(pending_of(table), claimer="sweep", now=later)
    taken = pending_of(table)
    assert (taken.claimed_by, taken.claimed_until) == ("sweep", later + LEASE)
    assert not taken.may_be_taken(frozenset({"record-2"}), now=later)


def test_every_step_is_noted_beside_the_others(table: SendingStatusTable) -> None:
    """A later claim begins with none."""
    claim(table, table.load("i1"), pause(table.load("i1")))
    for step in (TransitionStep.PAUSE_SENDING, TransitionStep.NOTIFY_ADMIN):
        assert table.step_done(pending_of(table), step)
    assert pending_of(table).done == {TransitionStep.PAUSE_SENDING, TransitionStep.NOTIFY_ADMIN}
    claim(table, table.load("i1"), pause(table.load("i1"), at=NOW + timedelta(seconds=1)))
    assert pending_of(table).done == frozenset()


def test_the_history_is_newest_first_and_ends_after_400_days() -> None:
    """A year of audits, and some."""
    with dynamodb_with("reputation") as dynamodb:
        table = SendingStatusTable(dynamodb, "reputation")
        for seconds in range(3):
            claim(table, table.load("i1"), pause(table.load("i1"), at=NOW + timedelta(seconds=seconds)))
        assert [one.at for one in table.history("i1")] == [NOW + timedelta(seconds=seconds) for seconds in (2, 1, 0)]
        items = [from_item(item) for item in dynamodb.scan(TableName="reputation")["Items"]]
    kept = sorted(item["expires_at"] for item in items if item["item"].startswith("history#"))
    assert kept == [int((NOW + timedelta(days=400, seconds=seconds)).timestamp()) for seconds in range(3)]


def test_who_was_moved_stays_watched_though_its_rates_are_undecided_too(table: SendingStatusTable) -> None:
    """To watch again must not forget that it was moved."""
    claim(table, table.load("i1"), pause(table.load("i1")))
    table.watch("i1")
    table.unwatch("i1")
    assert table.watched() == ["i1"]


def test_finishing_a_superseded_recovery_leaves_the_instance_watched(table: SendingStatusTable) -> None:
    """What superseded it is still pending."""
    claim(table, table.load("i1"), pause(table.load("i1"), after=SendingState.HEALTHY))
    old = pending_of(table)
    claim(table, table.load("i1"), pause(table.load("i1"), at=NOW + timedelta(seconds=1)))
    table.finish(old)
    assert table.watched() == ["i1"]
    assert pending_of(table).transition.after is SendingState.PAUSED
