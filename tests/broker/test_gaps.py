"""The process can die between any two calls that leave it. What follows finishes the work, or leaves nothing."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from lambdas.domain.tenants.domain_claim import proof_record
from tests.broker.world import WEBHOOK, World

GENERATED: dict[str, Any] = {"parameters": {"admin_email": "admin@agency.gov", "mail_from_subdomain": "bounce"}}
BOTH = {"notification_webhook": "https://user:pw@app.example.gov/hook", "notification_email": "digests@agency.gov"}


@dataclass(frozen=True)
class Scenario:
    """What was there before, what is interrupted, and how the platform repeats it."""

    before: Callable[[World], Any]
    action: Callable[[World], Any]


def _bound(world: World) -> None:
    world.ready(**GENERATED)
    assert world.bind(parameters=BOTH).status == 201


def _unbound(world: World) -> None:
    world.ready()
    assert world.bind().status == 201
    assert world.unbind().status == 200


def _provision(world: World, **changes: Any) -> None:
    world.provision(**changes)
    world.work()


def _update(world: World) -> None:
    changes = {"b1": {"notification_webhook": "https://other.example.gov/"}}
    parameters = {"admin_email": "other@agency.gov", "mail_from_subdomain": "", "enable_feedback_notifications": True}
    world.update(parameters={**parameters, "bindings": changes})
    world.work()


def _deprovision(world: World) -> None:
    world.deprovision()
    world.work()


def _rotated(world: World) -> None:
    _bound(world)
    assert world.bind("b2", predecessor_binding_id="b1").status == 201


def _squatted(world: World) -> None:
    """i1 holds a name that it never verified, and has a binding; its DNS says that org-2 may have it."""
    world.ses.verifies = False
    world.ready()
    assert world.bind("b1", parameters=BOTH).status == 201
    world.later(hours=73)
    record = proof_record("agency.gov", "org-2")
    world.dns.txt[record.name] = frozenset({record.value})


def _take_over(world: World) -> None:
    """The claimant repeats its request until it is accepted."""
    for _ in range(5):
        answer = world.provision("i2", organization_guid="org-2")
        world.work()
        world.later(minutes=6)
        if answer.status in (200, 202):
            return


SCENARIOS = {
    "provision": Scenario(lambda world: None, _provision),
    "provision, generated": Scenario(lambda world: None, lambda world: _provision(world, **GENERATED)),
    "update": Scenario(_bound, _update),
    "deprovision": Scenario(lambda world: world.ready(**GENERATED), _deprovision),
    "bind": Scenario(lambda world: world.ready(), lambda world: world.bind(parameters=BOTH)),
    "unbind": Scenario(_bound, lambda world: world.unbind()),
    "bind again after an unbind": Scenario(_unbound, lambda world: world.bind(parameters=BOTH)),
    "rotation": Scenario(_bound, lambda world: world.bind("b2", predecessor_binding_id="b1")),
    "take-over": Scenario(_squatted, _take_over),
    "unbind of the predecessor": Scenario(_rotated, lambda world: world.unbind("b1")),
}


def run(scenario: Scenario, *, die_at: int | None = None, after: bool = False) -> tuple[World, int]:
    """The world after the scenario, in which the process died at a call; and how many calls the action makes."""
    world = World()
    scenario.before(world)
    start = world.gate.calls
    world.gate.die_at, world.gate.after = (None if die_at is None else start + die_at), after
    world.surviving(lambda: scenario.action(world))
    world.gate.die_at = None
    return world, world.gate.calls - start


def settle(world: World) -> None:
    """Leases and intents run out, what was in the queue comes again, the sweep looks."""
    world.later(minutes=6)
    world.work()
    world.sweep.run(now=world.now)
    world.work()


def seen(world: World) -> dict[str, Any]:
    """What is there, without what differs from run to run (keys, secrets, webhook ids)."""
    left = world.left()
    left["users"] = {name: (len(user["keys"]), user.get("policy")) for name, user in left.get("users", {}).items()}
    left["domains"] = {name: replace(claim, claimed_at=None) for name, claim in left.get("domains", {}).items()}
    left["webhooks"] = sorted((kept.settings.url, kept.bindings) for kept in left.get("webhooks", {}).values())
    return left


def gaps(name: str) -> list[tuple[int, bool]]:
    _, calls = run(SCENARIOS[name])
    return [(at, after) for at in range(calls) for after in (False, True)]


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_repetition_finishes_what_died_anywhere(name: str) -> None:
    """The platform sends the same request again, and the end is that of an undisturbed run."""
    scenario = SCENARIOS[name]
    undisturbed = seen(run(scenario)[0])
    for at, after in gaps(name):
        world, _ = run(scenario, die_at=at, after=after)
        world.later(minutes=1)
        scenario.action(world)
        settle(world)
        assert seen(world) == undisturbed, (at, after, world.gate.names[-5:])


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_is_left_when_the_platform_cleans_up(name: str) -> None:
    """The platform gives up instead, unbinds and deprovisions until it is told that it is gone."""
    for at, after in gaps(name):
        world, _ = run(SCENARIOS[name], die_at=at, after=after)
        settle(world)
        for binding in ("b1", "b2"):
            assert world.unbind(binding).status in (200, 410), (at, after)
        world.deprovision("i2")
        assert world.deprovision().status in (202, 410), (at, after)
        world.work()
        assert world.left() == {}, (at, after)
        assert world.deprovision().status == 410


@pytest.mark.parametrize("name", ["bind", "unbind", "bind again after an unbind"])
def test_the_sweep_alone_removes_a_binding_that_died(name: str) -> None:
    """Nobody asks again: after some minutes nothing of the binding is there, or all of it."""
    for at, after in gaps(name):
        world, _ = run(SCENARIOS[name], die_at=at, after=after)
        world.later(minutes=12)
        world.sweep.run(now=world.now)
        whole = world.fetch("i1/service_bindings/b1").status == 200
        assert ("users" in world.left()) is whole, (at, after)
        assert ("webhooks" in world.left()) is whole, (at, after)


@pytest.mark.parametrize("name", ["provision", "provision, generated", "update", "deprovision"])
def test_the_sweep_wakes_an_operation_whose_message_was_lost(name: str) -> None:
    """The request was recorded, and the process died before its message was sent."""
    for at, after in gaps(name):
        world, _ = run(SCENARIOS[name], die_at=at, after=after)
        world.tasks.messages.clear()
        world.later(minutes=6)
        world.sweep.run(now=world.now)
        world.work()
        instance = world.table.instance("i1")
        assert instance is None or not instance.busy, (at, after)


def test_a_key_whose_secret_was_lost_is_replaced() -> None:
    """IAM tells a secret once: the bind that died right after has to make another key."""
    world = World()
    world.ready()
    start = world.gate.calls
    world.bind(parameters={"notification_webhook": WEBHOOK})
    at = world.gate.names[start:].index("FakeUsers.replace_key")
    world = World()
    world.ready()
    world.gate.die_at, world.gate.after = start + at, True
    assert not world.surviving(lambda: world.bind(parameters={"notification_webhook": WEBHOOK}))
    lost = next(iter(world.users.users["ses-feedback-b1"]["keys"]))
    world.later(minutes=1)
    answer = world.bind(parameters={"notification_webhook": WEBHOOK})
    assert answer.status == 201
    assert list(world.users.users["ses-feedback-b1"]["keys"]) == [answer.body["credentials"]["aws_access_key_id"]]
    assert lost != answer.body["credentials"]["aws_access_key_id"]


def test_operations_that_have_not_ended_are_counted_with_the_oldest_ones_age() -> None:
    """Every sweep records it: how many wait, and for how long."""
    worlds = (run(SCENARIOS["provision"], die_at=at, after=after)[0] for at, after in gaps("provision"))
    world = next(one for one in worlds if any(instance.busy for instance in one.table.instances.values()))
    world.later(minutes=6)
    world.sweep.run(now=world.now)
    world.work()
    world.sweep.run(now=world.now)
    assert world.waiting[0] == (1, 360.0)
    assert world.waiting[-1] == (0, 0.0)
