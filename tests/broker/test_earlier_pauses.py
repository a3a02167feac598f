"""A pause outlives its instance: who deletes a paused instance and makes another starts paused."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lambdas.domain.reputation.evaluation import Reason, Reputation, SendingState
from lambdas.domain.reputation.sending_status import HANDED_OVER, MARK_KEPT, Cause, transition_of
from lambdas.domain.tenants.aws_names import configuration_set
from tests.broker.world import World

COUNTS = Reputation(bounces=40, complaints=0, deliveries=600, since="2026-11-21T04")


def paused(world: World, instance_id: str = "i1", domain: str = "agency.gov", cause: Cause = Cause.RATES) -> None:
    """Pause an instance, as the reputation function does."""
    identity_status = world.pauses.load(instance_id)
    pause = transition_of(identity_status, SendingState.PAUSED, COUNTS, cause=cause, now=world.now, domain=domain)
    reasons = (Reason.BOUNCES,) if cause is Cause.RATES else ()
    pause = replace(pause, reasons=reasons, why="spam, see ticket 4711")
    assert world.pauses.claim(identity_status, pause, claimer="record-1", baseline=None, now=world.now)


def shed(world: World) -> None:
    """An instance is paused, and deleted."""
    world.ready()
    paused(world)
    world.deprovision()
    world.work()
    assert world.left() == {}


@pytest.mark.parametrize(
    ("domain", "organization"),
    [("agency.gov", "org-1"), ("agency.gov", "org-2"), ("mail.agency.gov", "org-2"), ("a.b.agency.gov", "org-1")],
)
def test_an_instance_made_anew_under_a_mark_starts_paused_and_says_why(domain: str, organization: str) -> None:
    """By whichever organization; its children too. Not one mail can go out: the set is made so."""
    world = World()
    shed(world)
    world.ready("i2", organization_guid=organization, parameters={"admin_email": "a@agency.gov", "domain": domain})
    identity_status = world.pauses.load("i2")
    assert (identity_status.state, identity_status.cause) == (SendingState.PAUSED, Cause.EARLIER_PAUSE)
    assert identity_status.until == world.pauses.marks["agency.gov"].until
    assert identity_status.pending is not None
    assert (identity_status.pending.claimed_by, identity_status.pending.transition.domain) == (HANDED_OVER, domain)
    assert world.ses.sends[configuration_set("i2")] is False
    told = world.poll("i2").body["description"]
    assert "an earlier service instance of agency.gov was paused on 2026-11-21" in told
    assert "for a bounce rate of 6.25%: 40 bounces and 0 complaints in 640 outcomes" in told
    assert "ask for a resume; else the pause ends on 2027-02-19" in told


@pytest.mark.parametrize("domain", ["other.gov", "notagency.gov", "gov.example"])
def test_what_is_not_under_the_mark_starts_healthy(domain: str) -> None:
    """Nor does a name that only ends alike."""
    world = World()
    shed(world)
    world.ready("i2", parameters={"admin_email": "a@agency.gov", "domain": domain})
    assert world.pauses.load("i2").state is SendingState.HEALTHY
    assert world.ses.sends[configuration_set("i2")] is True
    assert "paused" not in world.poll("i2").body["description"]


def test_a_parent_that_nobody_holds_is_not_marked() -> None:
    """The mark is on the domain that was paused, not above it."""
    world = World()
    world.ready(parameters={"admin_email": "a@agency.gov", "domain": "mail.agency.gov"})
    paused(world, domain="mail.agency.gov")
    world.deprovision()
    world.work()
    assert list(world.pauses.marks) == ["mail.agency.gov"]
    world.ready("i2", parameters={"admin_email": "a@agency.gov", "domain": "agency.gov"})
    assert world.pauses.load("i2").state is SendingState.HEALTHY


def test_a_generated_domain_marks_itself_and_never_the_operators_zone() -> None:
    """Another tenant's generated domain has nothing to do with it; the same id again has."""
    world = World()
    generated: dict[str, Any] = {"parameters": {"admin_email": "a@agency.gov"}}
    world.ready(**generated)
    [domain] = world.ses.identities
    paused(world, domain=domain)
    world.deprovision()
    world.work()
    assert list(world.pauses.marks) == [domain]
    world.ready("i2", **generated)
    assert world.pauses.load("i2").state is SendingState.HEALTHY
    world.ready("i1", **generated)
    assert world.ses.sends[configuration_set("i1")] is False
    assert "is verified" in world.poll("i1").body["description"]
    assert "ready to send" not in world.poll("i1").body["description"]


def test_a_mark_lasts_ninety_days_from_the_deletion_on() -> None:
    """An instance that was paused for a year is marked when it goes, although its first mark is over."""
    world = World()
    world.ready()
    paused(world)
    world.later(days=365)
    world.deprovision()
    world.work()
    mark = world.pauses.marks["agency.gov"]
    assert timedelta() <= world.now - (mark.until - MARK_KEPT) < timedelta(minutes=5)
    assert mark.transition.reasons == (Reason.BOUNCES,)
    world.later(days=91)
    world.ready("i2")
    assert world.pauses.load("i2").state is SendingState.HEALTHY


def test_an_instance_of_an_earlier_version_is_marked_at_its_deletion() -> None:
    """Its pause did not know its domain."""
    world = World()
    world.ready()
    paused(world, domain="")
    assert not world.pauses.marks
    world.deprovision()
    world.work()
    assert list(world.pauses.marks) == ["agency.gov"]


def test_an_instance_that_only_waits_for_its_marks_end_does_not_renew_the_mark() -> None:
    """Else making and deleting it would make the pause last for ever."""
    world = World()
    shed(world)
    first = world.pauses.marks["agency.gov"].until
    world.later(days=10)
    world.ready("i2")
    world.deprovision("i2")
    world.work()
    assert world.pauses.marks["agency.gov"].until == first


def test_the_new_instance_s_pause_has_the_earlier_one_s_evidence() -> None:
    """Whoever looks at it sees why, without the earlier instance."""
    world = World()
    world.ready()
    status = world.pauses.load("i1")
    counts = replace(COUNTS, complaints=3)
    pause = transition_of(status, SendingState.PAUSED, counts, cause=Cause.RATES, now=world.now, domain="agency.gov")
    pause = replace(pause, reasons=(Reason.BOUNCES, Reason.COMPLAINTS))
    assert world.pauses.claim(status, pause, claimer="record-1", baseline=None, now=world.now)
    world.later(days=1)
    world.deprovision()
    world.work()
    world.later(days=1)
    world.ready("i2")
    made = world.pauses.moves[-1]
    assert (made.instance_id, made.before, made.after) == ("i2", SendingState.HEALTHY, SendingState.PAUSED)
    assert (made.at, made.domain, made.cause) == (world.now, "agency.gov", Cause.EARLIER_PAUSE)
    assert (made.reputation, made.reasons) == (counts, (Reason.BOUNCES, Reason.COMPLAINTS))
    assert made.until == world.pauses.marks["agency.gov"].until
    assert made.why == (
        "Sending is paused: an earlier service instance of agency.gov was paused on 2026-11-21 for a bounce rate of "
        "6.25% and complaint rate of 0.500%: 40 bounces and 3 complaints in 640 outcomes. Say to the operator what you "
        "changed and ask for a resume; else the pause ends on 2027-02-20."
    )
    assert world.poll("i2").body["description"].startswith(f"{made.why}\nCreated.")


def test_what_an_operator_wrote_is_not_told_to_another_organization() -> None:
    """That an operator paused it is."""
    world = World()
    world.ready()
    paused(world, cause=Cause.OPERATOR)
    world.deprovision()
    world.work()
    world.ready("i2", organization_guid="org-2")
    assert "was paused on 2026-11-21 by an operator. Say" in world.poll("i2").body["description"]


def test_a_claim_that_another_was_quicker_at_is_tried_again() -> None:
    """The sweep may be looking at the same moment."""
    world = World()
    shed(world)
    world.pauses.rivals = 2
    world.ready("i2")
    assert world.pauses.load("i2").state is SendingState.PAUSED
    assert len([move for move in world.pauses.moves if move.instance_id == "i2"]) == 1


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_anywhere_in_a_deletion_loses_no_mark(after: bool) -> None:
    """Before the domain is free again, the mark is there; whoever makes the next instance starts paused."""
    for at in range(_calls_of_a_deletion()):
        world = World()
        world.ready()
        paused(world, domain="")
        world.deprovision()
        world.gate.die_at, world.gate.after = world.gate.calls + at, after
        assert not world.surviving(world.work)
        assert "agency.gov" in world.pauses.marks or "agency.gov" in world.table.domains
        world.gate.die_at = None
        world.later(minutes=6)
        world.work()
        world.sweep.run(now=world.now)
        world.work()
        world.ready("i2")
        assert world.pauses.load("i2").state is SendingState.PAUSED, at
        assert world.ses.sends[configuration_set("i2")] is False


def _calls_of_a_deletion() -> int:
    world = World()
    world.ready()
    paused(world, domain="")
    world.deprovision()
    before = world.gate.calls
    world.work()
    return world.gate.calls - before
