"""What the sweep removes, what it resumes, and what it says of each."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from lambdas.broker.bindings.secret_rotation import SecretRotation
from lambdas.broker.bindings.unbinding import STALE
from lambdas.broker.operations.cleanup import Cleanup
from lambdas.broker.operations.requests import STALLED
from lambdas.broker.osb.errors import BadParameter
from lambdas.domain.tenants.instance import BindingState, Unfinished
from tests.broker.world import START, WEBHOOK, World

MOMENT = timedelta(microseconds=1)


@dataclass
class Leftovers:
    """A store of what was left, and what is asked to remove it and to resume it."""

    asked: list[Any] = field(default_factory=list)
    waits: tuple[Unfinished, ...] = ()

    def stale_intents(self, *, before: Any) -> tuple[tuple[str, str], ...]:
        self.asked.append(before)
        return (("i1", "gone"), ("i2", "fails"), ("i3", "removed"))

    def unfinished(self) -> tuple[Unfinished, ...]:
        return self.waits

    def remove_stale(self, instance_id: str, binding_id: str, *, now: Any) -> bool:
        self.asked.append((instance_id, binding_id, now))
        if binding_id == "fails":
            raise ConnectionError(binding_id)
        return binding_id == "removed"

    def resume(self, instance_id: str) -> None:
        self.asked.append(instance_id)


def test_what_was_left_is_removed_and_what_stalled_is_resumed() -> None:
    """One that fails does not keep the others; each is logged."""
    stalled = Unfinished(instance_id="i4", started_at=START, touched_at=START - STALLED - MOMENT)
    working = Unfinished(instance_id="i5", started_at=START - timedelta(hours=1), touched_at=START - STALLED)
    left = Leftovers(waits=(stalled, working))
    logged: list[tuple[str, str, str]] = []
    counted: list[tuple[int, float]] = []
    parts: Any = {"store": left, "instances": left, "bindings": left}
    Cleanup(
        **parts,
        log=lambda what, id_, error: logged.append((what, id_, str(error))),
        waiting=lambda *counts: counted.append(counts),
    ).run(now=START)
    tried = [("i1", "gone", START), ("i2", "fails", START), ("i3", "removed", START)]
    assert left.asked == [START - STALE, *tried, "i4"]
    assert logged == [
        ("stale binding not removed", "fails", "fails"),
        ("stale binding removed", "removed", "None"),
        ("stalled operation resumed", "i4", "None"),
    ]
    assert counted == [(2, 3600.0)]


@pytest.mark.parametrize(
    ("state", "busy_until", "removed"),
    [
        (BindingState.INTENT, START - STALE, True),
        (BindingState.LEAVING, START - STALE, True),
        (BindingState.INTENT, None, True),
        (BindingState.INTENT, START - STALE + MOMENT, False),
        (BindingState.LEAVING, START + MOMENT, False),
        (BindingState.READY, START - STALE, False),
        (BindingState.GONE, START - STALE, False),
    ],
)
def test_a_bind_or_unbind_that_died_long_ago_is_removed(state: BindingState, busy_until: Any, removed: bool) -> None:
    """One that is at work is not, nor one that is whole."""
    world = World()
    world.ready()
    world.bind(parameters={"notification_webhook": WEBHOOK})
    known = world.table.bindings["i1", "b1"]
    world.table.bindings["i1", "b1"] = replace(known, state=state, busy_until=busy_until)
    assert world.sweep.bindings.remove_stale("i1", "b1", now=START) is removed
    assert ("ses-feedback-b1" in world.users.users) is not removed
    assert not world.sweep.bindings.remove_stale("i1", "b9", now=START)


def test_a_rotation_of_a_webhook_that_is_gone_says_so() -> None:
    """Its predecessor was unbound between the two reads."""
    world = World()
    world.ready()
    world.bind(parameters={"notification_webhook": WEBHOOK})
    binding = world.table.bindings["i1", "b1"]
    secrets = world.encrypt_webhook_secret
    rotation = SecretRotation(webhooks=world.webhooks, decrypt=secrets.decrypt, encrypt=secrets)
    world.webhooks.webhooks.clear()
    with pytest.raises(BadParameter, match=r"^predecessor_binding_id: was unbound meanwhile; bind without it$"):
        rotation.run(binding, "whsec_2", now=START)
