"""An unverified claim yields to a proof of control; a verified one never does."""

from dataclasses import replace
from typing import Any

import pytest

from lambdas.broker.instances.domain_takeover import begin_release
from lambdas.broker.operations.requests import Operations
from lambdas.broker.osb.errors import ConcurrencyError
from lambdas.domain.tenants.domain_claim import Claim, proof_record
from lambdas.domain.tenants.instance import (
    BindingState,
    Instance,
    InstanceState,
    Operation,
    OperationKind,
    OperationState,
    Past,
)
from lambdas.domain.tenants.operation_task import OperationTask
from tests.broker.world import START, World

ADMIN = {"admin_email": "admin@agency.gov"}
RECORD = proof_record("agency.gov", "org-2")


@pytest.fixture
def world() -> World:
    """i1 of org-1 claims agency.gov and has a binding, but SES never verified it."""
    world = World()
    world.ses.verifies = False
    world.ready()
    assert world.bind().status == 201
    return world


def claim(world: World, instance: str = "i2", organization: str = "org-2", domain: str = "agency.gov") -> Any:
    """A provision by another organization."""
    return world.provision(instance, parameters={**ADMIN, "domain": domain}, organization_guid=organization)


def prove(world: World, organization: str = "org-2") -> None:
    """The domain's DNS says that the organization may have it."""
    record = proof_record("agency.gov", organization)
    world.dns.txt[record.name] = frozenset({"v=spf1 -all", record.value})


def test_the_refusal_names_the_record_and_the_time(world: World) -> None:
    """Nobody else's instance or organization is named, and DNS is not asked before the time."""
    prove(world)
    answer = claim(world)
    words = answer.body["description"]
    assert answer.status == 409
    assert RECORD.name in words
    assert RECORD.value in words
    assert "2026-11-24" in words
    assert "i1" not in words
    assert "org-1" not in words
    assert "FakeDns" not in world.gate.names


def test_a_proof_takes_the_domain_from_a_claim_that_was_never_verified(world: World) -> None:
    """The old instance stays, says why, and can no longer send; the new one is made at the next request."""
    world.later(hours=73)
    assert RECORD.value in claim(world).body["description"]
    prove(world)
    assert "released" in claim(world).body["description"]
    world.work()
    assert "another organization proved control" in world.poll("i1").body["description"]
    [(topic, subject, text)] = world.notifier.sent
    assert topic.endswith("alerts") or "i1" in topic
    assert "agency.gov" in subject
    assert "org-2" not in text
    assert all("policy" not in user for user in world.users.users.values())
    assert world.ses.identities == {}
    world.ready("i2", parameters={**ADMIN, "domain": "agency.gov"}, organization_guid="org-2")
    assert world.ses.identities["agency.gov"].owner == "i2"


def test_a_claim_made_anew_does_not_restart_the_72_hours(world: World) -> None:
    """Deleting the instance and creating another would keep the owner out for ever."""
    world.later(hours=71)
    assert world.unbind().status == 200
    assert world.deprovision().status == 202
    world.work()
    world.ready("again")
    prove(world)
    world.later(hours=2)
    assert "released" in claim(world).body["description"]
    world.work()
    assert world.table.domains["agency.gov"].organization_guid == "org-2"


def test_another_organization_s_claim_has_72_hours_of_its_own(world: World) -> None:
    """What the first one did is not its fault."""
    world.later(hours=71)
    assert world.unbind().status == 200
    world.deprovision()
    world.work()
    world.ready("other", parameters={**ADMIN, "domain": "agency.gov"}, organization_guid="org-3")
    prove(world)
    world.later(hours=2)
    assert "after 2026-" in claim(world).body["description"]


def test_a_released_name_waits_for_the_claimant_alone(world: World) -> None:
    """The old holder, or a third, does not get it back in between; after 72 hours anybody may have it."""
    world.later(hours=73)
    prove(world)
    claim(world)
    world.work()
    for organization in ("org-1", "org-3"):
        assert claim(world, "i3", organization).status == 409
    world.later(hours=73)
    assert claim(world, "i3", "org-3").status == 202


def test_a_proof_for_another_organization_is_none(world: World) -> None:
    """The values in DNS are public: a copy proves nothing."""
    world.later(hours=73)
    prove(world, "org-3")
    assert RECORD.value in claim(world).body["description"]
    assert world.table.domains["agency.gov"].instance_id == "i1"


def test_a_verified_claim_never_yields(world: World) -> None:
    """Whatever DNS says, and even if SES no longer sees the DKIM records later."""
    prove(world)
    world.ses.verifies = True
    world.later(hours=73)
    words = claim(world).body["description"]
    assert "TXT" not in words
    world.ses.verifies = False
    world.later(days=30)
    assert claim(world).body["description"] == words
    assert world.table.domains["agency.gov"].instance_id == "i1"
    assert "agency.gov" in world.ses.identities


def test_a_claim_that_ses_verifies_during_the_release_is_kept(world: World) -> None:
    """The worker looks again before it removes anything."""
    world.later(hours=73)
    prove(world)
    assert claim(world).status == 409
    world.ses.verifies = True
    world.work()
    assert world.poll("i1").body["state"] == "failed"
    assert all(user["policy"] for user in world.users.users.values())
    assert world.table.domains["agency.gov"].instance_id == "i1"
    assert world.bind("b2").status == 201


def test_while_ses_is_busy_nothing_is_released(world: World) -> None:
    """Whether the claim is verified is not known then."""
    world.later(hours=73)
    prove(world)
    world.ses.throttled = 1
    assert claim(world).status == 409
    assert not world.tasks.messages


def test_the_instance_without_its_domain_touches_nothing_of_the_next_owners(world: World) -> None:
    """Neither by a bind, an update nor its deletion."""
    world.later(hours=73)
    prove(world)
    claim(world)
    world.work()
    world.ready("i2", parameters={**ADMIN, "domain": "agency.gov"}, organization_guid="org-2")
    world.ses.verifies = True
    before = dict(world.ses.identities)
    assert world.bind("b2").status == 400
    assert world.update(parameters={"mail_from_subdomain": "x"}).status == 422
    assert "released" in world.fetch("i1/service_bindings/b1").body["credentials"]["instructions"]
    assert world.unbind().status == 200
    assert world.deprovision().status == 202
    world.work()
    assert world.poll("i1").status == 410
    assert world.ses.identities == before
    assert world.table.domains["agency.gov"].instance_id == "i2"


def test_a_release_waits_for_a_bind_under_way(world: World) -> None:
    """It would write its policy after the others were taken away."""
    binding = world.table.bindings["i1", "b1"]
    world.table.bindings["i1", "b1"] = replace(binding, state=BindingState.INTENT)
    world.later(hours=73)
    prove(world)
    claim(world)
    message, _ = world.tasks.messages.pop()
    world.engine.run_step(message, owner="w")
    assert "bind" in world.poll("i1").body["description"]
    assert world.table.domains["agency.gov"].instance_id == "i1"
    world.table.bindings["i1", "b1"] = binding
    world.work()
    assert world.table.domains["agency.gov"].organization_guid == "org-2"


@pytest.mark.parametrize("child_verified", [False, True])
def test_the_owner_of_a_verified_parent_takes_over_an_unverified_child_and_no_other(child_verified: bool) -> None:
    """Two organizations hold parent and child, and the parent is verified later: both stay until the owner asks."""
    world = World()
    world.ses.verifies = False
    world.ready("child", parameters={**ADMIN, "domain": "mail.agency.gov"}, organization_guid="org-2")
    world.ready("parent", parameters={**ADMIN, "domain": "agency.gov"}, organization_guid="org-1")
    verified = ["agency.gov", *(["mail.agency.gov"] if child_verified else [])]
    for domain in verified:
        world.ses.identities[domain] = replace(world.ses.identities[domain], verified=True)
    assert world.bind("b1", "child").status == 201
    world.later(hours=73)
    record = proof_record("mail.agency.gov", "org-1")
    world.dns.txt[record.name] = frozenset({record.value})
    assert claim(world, "new", "org-1", "mail.agency.gov").status == 409
    world.work()
    again = claim(world, "new", "org-1", "mail.agency.gov")
    assert again.status == (409 if child_verified else 202)
    assert ("child" in {i.owner for i in world.ses.identities.values()}) is child_verified


def released(world: World) -> Instance:
    """What begins the release of i1's domain, as an operator's command and a proof do."""
    claim = Claim(domain="agency.gov", instance_id="i1", organization_guid="org-1")
    operations = Operations(tasks=world.tasks, new_id=lambda: "7")
    return begin_release(world.table, operations, claim, reason="asked for", reserved_for="org-2", now=world.now)


def test_a_release_is_recorded_with_its_reason_and_queued(world: World) -> None:
    """The operation before it can still be polled."""
    world.later(hours=1)
    begun = released(world)
    assert begun == world.table.instance("i1")
    assert begun.operation == Operation(
        id="release-7",
        kind=OperationKind.RELEASE,
        started_at=world.now,
        touched_at=world.now,
        description="Queued",
        reason="asked for",
        reserved_for="org-2",
    )
    described = world.poll(operation="provision-1").body["description"]
    assert begun.past == (Past(id="provision-1", state=OperationState.SUCCEEDED, description=described),)
    assert world.tasks.messages == [(OperationTask(instance_id="i1", operation_id="release-7"), 0)]


def test_a_release_that_is_under_way_is_not_begun_again_but_wakes_the_worker(world: World) -> None:
    """Its message may have been lost."""
    begun = released(world)
    assert released(world) == begun
    assert world.tasks.messages == 2 * [(OperationTask(instance_id="i1", operation_id="release-7"), 0)]


def test_a_release_waits_for_another_operation_and_wakes_it(world: World) -> None:
    """Of the instance that holds the domain."""
    update = world.update(parameters={"enable_feedback_notifications": True}).body["operation"]
    world.tasks.messages.clear()
    with pytest.raises(ConcurrencyError, match=r"^the instance that holds the domain is busy; try again in a few minu"):
        released(world)
    assert world.tasks.messages == [(OperationTask(instance_id="i1", operation_id=update), 0)]


@pytest.mark.parametrize(
    "changes", [None, {"state": InstanceState.GONE}, {"domain": "other.gov"}, {"claimed": False}], ids=str
)
def test_a_claim_that_was_given_back_meanwhile_is_not_released(world: World, changes: dict[str, Any] | None) -> None:
    """The instance is gone, or has it no longer."""
    holder = world.table.instances.pop("i1")
    if changes is not None:
        world.table.instances["i1"] = replace(holder, **changes)
    with pytest.raises(ConcurrencyError, match=r"^the claim was given back at this moment; try again$"):
        released(world)
    assert world.tasks.messages == []


def test_the_organization_s_own_claim_is_in_use_and_not_taken_over(world: World) -> None:
    """It deletes its other instance itself."""
    world.later(hours=73)
    prove(world, "org-1")
    answer = claim(world, organization="org-1")
    words = "agency.gov is in use by another service instance; if it is yours, ask the operator"
    assert (answer.status, answer.body["description"]) == (409, words)


def test_a_claim_yields_at_the_very_end_of_its_72_hours(world: World) -> None:
    """Not a moment before."""
    prove(world)
    world.now = START.replace(day=24)
    world.later(seconds=-1)
    assert "create the instance again after 2026-11-24 05:00 UTC" in claim(world).body["description"]
    world.later(seconds=1)
    assert "the earlier claim is being released" in claim(world).body["description"]


@pytest.mark.parametrize("owner", ["i9", None], ids=["somebody else's", "gone"])
def test_a_release_leaves_an_identity_alone_that_is_not_its_own(world: World, owner: str | None) -> None:
    """It was removed by hand, or made anew by somebody else."""
    world.later(hours=73)
    prove(world)
    claim(world)
    identity = world.ses.identities.pop("agency.gov")
    if owner:
        world.ses.identities["agency.gov"] = replace(identity, owner=owner)
    world.work()
    assert world.poll("i1").body["state"] == "succeeded"
    assert ("agency.gov" in world.ses.identities) is bool(owner)
