"""Incidents of docs/runbooks that no embedded AWS can have: IAM's quota, and SES down in the region."""

from datetime import timedelta

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
    """A provision meanwhile is undone and says why; it is repeated when SES is back. What exists is not touched."""
    world = World()
    world.ready()
    world.ses.down = True
    assert world.provision("i2", parameters=MAIL).status == 202
    for _ in range(30):
        world.work()
        world.later(minutes=10)
    failed = world.poll("i2").body
    assert failed["state"] == "failed"
    existing = world.table.instance("i1")
    assert existing is not None
    assert existing.state is InstanceState.READY

    world.ses.down = False
    for _ in range(30):
        world.work()
        world.later(minutes=10)
    assert world.deprovision("i2").status in (202, 410)
    world.work()
    world.later(days=1)
    assert world.provision("i3", parameters=MAIL).status == 202
    world.work()
    assert world.poll("i3").body["state"] == "succeeded"
    assert timedelta(days=1) > timedelta(0)
