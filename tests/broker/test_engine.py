"""The operations engine: leases, time, order, and what it logs of each step."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lambdas.broker.operations.engine import DEADLINE, LEASE, LEASE_CHECK, STEP_RUN, StepRefused, StepWaiting
from lambdas.domain.errors import Declined, Throttled
from lambdas.domain.tenants.instance import Instance, OperationKind, OperationState
from lambdas.domain.tenants.operation_task import OperationTask
from tests.broker.world import START, World

SECOND = timedelta(seconds=1)
TASK = OperationTask(instance_id="i1", operation_id="provision-1")


@pytest.fixture
def world() -> World:
    """A provision that nobody has worked at yet."""
    world = World()
    world.provision()
    world.tasks.messages.clear()
    world.gate.asked.clear()
    return world


def held(world: World, *, until: timedelta) -> None:
    """Another worker has the lease."""
    instance = world.table.instances["i1"]
    world.table.instances["i1"] = replace(instance, lease_owner="other", lease_until=START + until)


def logged(world: World) -> list[tuple[Any, ...]]:
    """What was logged of operations, with the step and the error's type."""
    return [
        (what, instance.operation.step, *(type(error).__name__ for error in more))
        for what, instance, *more in world.told
        if isinstance(instance, Instance)
    ]


@pytest.mark.parametrize(
    ("left", "delay"), [(LEASE, LEASE_CHECK), (timedelta(seconds=14), 15.0), (timedelta(seconds=5), 6.0)]
)
def test_a_worker_that_does_not_have_the_lease_comes_again(world: World, left: timedelta, delay: float) -> None:
    """A second after the lease ends, or sooner: the holder may be done before."""
    held(world, until=left)
    before = world.table.instances["i1"]
    world.engine.run_step(TASK, owner="w")
    assert world.tasks.messages == [(TASK, delay)]
    assert world.table.instances["i1"] == before


@pytest.mark.parametrize(("owner", "until"), [("other", LEASE), ("w", timedelta())])
def test_a_lease_is_its_holder_s_and_ends(world: World, owner: str, until: timedelta) -> None:
    """The holder goes on with its message again; anybody does when it has ended."""
    held(world, until=until)
    world.engine.run_step(TASK, owner=owner)
    assert world.poll().body["state"] == "succeeded"


def test_a_message_of_an_operation_that_has_ended_does_nothing(world: World) -> None:
    """Nor one of another operation, or of an instance that is not there."""
    for task in (replace(TASK, operation_id="other"), replace(TASK, instance_id="i9")):
        world.engine.run_step(task, owner="w")
    assert world.gate.asked == [("Table.instance", "i1"), ("Table.instance", "i9")]
    world.engine.run_step(TASK, owner="w")
    world.gate.asked.clear()
    world.engine.run_step(TASK, owner="w")
    assert world.gate.asked == [("Table.instance", "i1")]


def test_a_step_run_ends_in_time_and_another_goes_on(world: World) -> None:
    """Before the function's timeout, without counting a failure."""
    ensure = world.ses.ensure_configuration_set

    def slow(*args: Any, **kwargs: Any) -> None:
        world.now += STEP_RUN
        ensure(*args, **kwargs)

    world.ses.ensure_configuration_set = slow  # type: ignore[method-assign]
    world.engine.run_step(TASK, owner="w")
    instance = world.table.instances["i1"]
    assert world.tasks.messages == [(TASK, 0)]
    assert (instance.operation.step, instance.operation.failures) == ("event destination", 0)
    assert (instance.operation.description, instance.operation.touched_at) == (
        "Creating the configuration set",
        world.now,
    )
    assert (instance.lease_owner, instance.lease_until) == ("", None)
    world.ses.ensure_configuration_set = ensure  # type: ignore[method-assign]
    world.work()
    assert world.poll().body["state"] == "succeeded"


@pytest.mark.parametrize(
    ("error", "delay", "description"),
    [
        (Throttled(3.0), 3.0, "Waiting for Amazon SES, which takes about one call a second"),
        (ConnectionError("x"), 2.0, "Creating the configuration set: AWS failed, trying again"),
    ],
)
def test_a_step_that_cannot_be_made_now_is_tried_again(
    world: World, error: Exception, delay: float, description: str
) -> None:
    """Throttling is no failure; a fault is counted and logged."""
    world.gate.failing["FakeSes.ensure_configuration_set"] = error
    world.engine.run_step(TASK, owner="w")
    assert world.tasks.messages == [(TASK, delay)]
    operation = world.table.instances["i1"].operation
    assert operation.description == description
    failed = isinstance(error, ConnectionError)
    assert operation.failures == failed
    assert logged(world) == [("configuration set failed", "configuration set", "ConnectionError")] * failed


def test_a_step_that_is_declined_is_refused_in_those_words(world: World) -> None:
    """What was made is removed; the refusal and the end are logged."""
    world.gate.failing["FakeSes.ensure_event_destination"] = Declined("not like this")
    world.engine.run_step(TASK, owner="w")
    assert world.poll().body["description"] == "Could not be created: not like this"
    assert logged(world) == [("operation refused", "event destination"), ("provision failed", "end")]


def test_an_operation_that_takes_too_long_is_undone(world: World) -> None:
    """In time for the platform, which stops to poll; to the second."""
    world.now = START + DEADLINE
    world.gate.failing["FakeSes.ensure_identity"] = Throttled(1.0)
    world.engine.run_step(TASK, owner="w")
    assert world.poll().body["state"] == "in progress"
    world.tasks.messages.clear()
    world.later(seconds=1)
    world.engine.run_step(TASK, owner="w")
    words = "Could not be created: it took too long: Creating the domain's identity"
    assert world.poll().body == {"state": "failed", "description": words}


def test_what_is_being_removed_may_take_as_long_as_it_takes(world: World) -> None:
    """Giving up would leave it behind."""
    world.work()
    world.deprovision()
    world.later(seconds=DEADLINE.total_seconds() + 1)
    world.work()
    assert world.poll().body.get("state") is None
    assert world.left() == {}


def _refused(_: Instance) -> StepRefused:
    return StepRefused("it cannot be")


@pytest.mark.parametrize("dirty", [True, False])
def test_a_release_that_is_refused_leaves_the_instance_as_it_was(dirty: bool) -> None:
    """An earlier deletion that failed half way has still to be repeated."""
    world = World()
    world.ready()
    instance = world.table.instances["i1"]
    operation = replace(
        instance.operation, id="release-7", kind=OperationKind.RELEASE, state=OperationState.IN_PROGRESS, step=""
    )
    world.table.instances["i1"] = replace(instance, operation=operation, dirty=dirty)
    world.engine.run_step(OperationTask(instance_id="i1", operation_id="release-7"), owner="w")
    after = world.table.instances["i1"]
    words = "The domain was not released: Amazon SES has verified the domain for this instance"
    assert (after.operation.state, after.operation.description) == (OperationState.FAILED, words)
    assert (after.dirty, after.claimed) == (dirty, True)


def test_a_step_that_waits_says_why_and_for_how_long() -> None:
    """The tenant sees it in the platform's own command."""
    world = World()
    world.ses.verifies = False
    world.provision(parameters={"admin_email": "a@b.cc"})
    [(task, _)] = world.tasks.messages
    world.tasks.messages.clear()
    world.engine.run_step(task, owner="w")
    assert world.tasks.messages == [(task, 15.0)]
    assert world.poll().body["description"] == "Waiting for Amazon SES to verify the domain"
    assert StepWaiting(1.0, "x") != StepWaiting(2.0, "x")


def test_an_unknown_step_begins_at_the_first() -> None:
    """A release that goes back may find the name of a step that it does not have."""
    world = World()
    world.provision()
    instance = world.table.instances["i1"]
    world.table.instances["i1"] = replace(instance, operation=replace(instance.operation, step="of a later release"))
    world.work()
    assert world.poll().body["state"] == "succeeded"
    assert world.webhooks.instances == {"i1": False}
