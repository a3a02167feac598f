"""Standings in DynamoDB: claims are conditional, and leave a trail."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lambdas.aws.standing_table import StandingTable
from lambdas.domain.reputation import Reason, Reputation, State
from lambdas.domain.standing import LEASE, Cause, Pending, Standing, Step, Transition
from tests.aws.tables import dynamodb_with

NOW = datetime(2026, 11, 21, 5, 30, tzinfo=UTC)
COUNTS = Reputation(bounces=40, complaints=0, deliveries=960, since="2026-11-21T04")


@pytest.fixture
def table() -> Iterator[StandingTable]:
    """An empty reputation table."""
    with dynamodb_with("reputation") as client:
        yield StandingTable(client, "reputation")


def pause(standing: Standing, **changes: object) -> Transition:
    """A pause for bounces."""
    transition = Transition(
        id=f"{standing.instance_id}:{standing.version + 1}",
        instance_id=standing.instance_id,
        before=standing.state,
        after=State.PAUSED,
        at=NOW,
        cause=Cause.RATES,
        reasons=(Reason.BOUNCES,),
        reputation=COUNTS,
    )
    return replace(transition, **changes)  # type: ignore[arg-type]


def claim(table: StandingTable, standing: Standing, transition: Transition, **changes: object) -> bool:
    """Claim *transition* as record-1."""
    facts = {"claimer": "record-1", "baseline": None, "now": NOW, **changes}
    return table.claim(standing, transition, **facts)  # type: ignore[arg-type]


def pending_of(table: StandingTable) -> Pending:
    """What is pending of i1."""
    pending = table.load("i1").pending
    assert pending is not None
    return pending


def test_an_instance_nobody_spoke_of_is_healthy(table: StandingTable) -> None:
    """And has no history."""
    assert table.load("i1") == Standing(instance_id="i1")
    assert table.history("i1") == []


def test_a_claim_moves_the_instance_and_names_its_claimer(table: StandingTable) -> None:
    """With all that a repetition needs."""
    standing = table.load("i1")
    transition = pause(standing)
    assert claim(table, standing, transition)
    pending = Pending(transition=transition, done=frozenset(), claimed_by="record-1", claimed_until=NOW + LEASE)
    assert table.load("i1") == Standing(
        instance_id="i1", state=State.PAUSED, since=NOW, version=1, baseline=None, pending=pending, cause=Cause.RATES
    )
    assert table.watched() == ["i1"]
    assert table.history("i1") == [transition]


def test_of_two_claims_on_one_standing_one_is_had(table: StandingTable) -> None:
    """The first, whoever makes it; the loser leaves no trail."""
    standing = table.load("i1")
    assert claim(table, standing, pause(standing))
    assert not claim(table, standing, pause(standing, at=NOW + timedelta(seconds=1)))
    moved = table.load("i1")
    assert claim(table, moved, pause(moved, at=NOW + timedelta(seconds=2)))
    assert not claim(table, moved, pause(moved, at=NOW + timedelta(seconds=3)))
    assert len(table.history("i1")) == 2


def test_steps_are_noted_and_all_done_is_finished(table: StandingTable) -> None:
    """A paused instance stays watched."""
    claim(table, table.load("i1"), pause(table.load("i1")))
    assert table.step_done(pending_of(table), Step.STOP_SENDING)
    assert pending_of(table).left == (Step.TELL_WEBHOOKS, Step.TELL_ADMIN, Step.TELL_OPERATOR)
    table.finish(pending_of(table))
    assert table.load("i1").pending is None
    assert table.load("i1").state is State.PAUSED
    assert table.watched() == ["i1"]


def test_who_recovered_is_no_longer_watched(table: StandingTable) -> None:
    """Nothing is left to be done."""
    standing = Standing(instance_id="i1")
    claim(table, standing, pause(standing, after=State.HEALTHY))
    table.finish(pending_of(table))
    assert table.watched() == []


def test_a_superseded_transition_can_be_neither_noted_nor_finished(table: StandingTable) -> None:
    """Its actor finds out, and stops."""
    claim(table, table.load("i1"), pause(table.load("i1"), after=State.WARNED))
    old = pending_of(table)
    claim(table, table.load("i1"), pause(table.load("i1"), at=NOW + timedelta(seconds=1)))
    assert not table.step_done(old, Step.TELL_ADMIN)
    assert not table.take_over(old, claimer="sweep", now=NOW)
    table.finish(old)
    table.release(old, now=NOW)
    assert pending_of(table).transition.after is State.PAUSED
    assert pending_of(table).claimed_until == NOW + LEASE


def test_what_is_left_is_taken_over_by_one(table: StandingTable) -> None:
    """Conditional on the claim that was seen."""
    claim(table, table.load("i1"), pause(table.load("i1")))
    seen = pending_of(table)
    later = NOW + LEASE
    assert table.take_over(seen, claimer="sweep", now=later)
    assert not table.take_over(seen, claimer="record-2", now=later)
    assert pending_of(table).claimed_by == "sweep"


def test_a_released_claim_may_be_taken_at_once(table: StandingTable) -> None:
    """Its claimer met a fault."""
    claim(table, table.load("i1"), pause(table.load("i1")))
    table.release(pending_of(table), now=NOW)
    assert pending_of(table).may_be_taken(frozenset({"other"}), now=NOW)


def test_a_baseline_stays_until_there_is_another(table: StandingTable) -> None:
    """Whatever moves the instance."""
    claim(table, table.load("i1"), pause(table.load("i1")), baseline=NOW)
    standing = table.load("i1")
    assert standing.baseline == NOW
    claim(table, standing, pause(standing, at=NOW + timedelta(seconds=1)), baseline=standing.baseline)
    assert table.load("i1").baseline == NOW


def test_an_instance_that_is_gone_is_forgotten_but_for_its_history(table: StandingTable) -> None:
    """Audits outlive instances."""
    claim(table, table.load("i1"), pause(table.load("i1")))
    table.forget("i1")
    assert table.load("i1") == Standing(instance_id="i1")
    assert table.watched() == []
    assert len(table.history("i1")) == 1


def test_who_is_undecided_is_watched_until_nothing_is_to_be_expected(table: StandingTable) -> None:
    """But a claim that came in between keeps it watched."""
    table.watch("i1")
    assert table.watched() == ["i1"]
    table.unwatch("i1")
    assert table.watched() == []
    claim(table, table.load("i1"), pause(table.load("i1")))
    table.unwatch("i1")
    assert table.watched() == ["i1"]
