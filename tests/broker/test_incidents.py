"""Incidents of docs/runbooks that no embedded AWS can have: IAM's quota, and SES down in the region."""

import pytest

from lambdas.domain.tenants.instance import InstanceState
from ops.doctor import quotas
from ops.doctor.findings import Level
from tests.broker.world import World

MAIL = {"admin_email": "a@b.cc"}


def level(world: World) -> Level:
    """What the doctor says of the account's IAM users."""
    quota = world.users.quota()
    return quotas.finding(quotas.Usage(resource="IAM users", used=quota.users, quota=quota.limit)).level


@pytest.mark.incident("iam-users-full")
def test_the_accounts_iam_users_are_used_up() -> None:
    """The next bind is refused with the figures, and nothing is left of it; what exists works; more quota ends it."""
    world = World()
    world.ready()
    assert world.bind("b1").status == 201
    world.users.limit = len(world.users.users)
    assert level(world) is Level.PROBLEM

    refused = world.bind("b2")
    assert (refused.status, refused.body["error"]) == (422, "QuotaExceeded")
    assert world.call("GET", "/v2/service_instances/i1/service_bindings/b2").status == 404
    assert world.call("GET", "/v2/service_instances/i1/service_bindings/b1").status == 200

    world.users.limit *= 10
    assert level(world) is Level.OK
    assert world.bind("b2").status == 201


@pytest.mark.incident("region-down")
def test_ses_is_down_in_the_region() -> None:
    """A new provision is refused with nothing made; one under way fails and says so; both succeed when it is over."""
    world = World()
    world.ready()
    assert world.provision("i2", parameters=MAIL).status == 202
    world.ses.down = True
    assert world.provision("i3", parameters=MAIL).status == 500
    assert world.table.instance("i3") is None
    hours(world, 8)
    failed = world.poll("i2").body
    assert (failed["state"], bool(failed["description"])) == ("failed", True)
    existing = world.table.instance("i1")
    assert existing is not None
    assert existing.state is InstanceState.READY

    world.ses.down = False
    assert world.deprovision("i2").status in (202, 410)
    hours(world, 1)
    for instance_id in ("i3", "i4"):
        assert world.provision(instance_id, parameters=MAIL).status == 202
    hours(world, 1)
    assert {world.poll(instance_id).body["state"] for instance_id in ("i3", "i4")} == {"succeeded"}
    assert set(world.ses.sets) == {"ses-feedback-i1", "ses-feedback-i3", "ses-feedback-i4"}


def hours(world: World, number: int) -> None:
    """The worker and the sweep work for so long."""
    for _ in range(number * 12):
        world.work()
        world.later(minutes=5)
        world.sweep.run(now=world.now)
