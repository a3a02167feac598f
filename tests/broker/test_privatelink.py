"""The privatelink service: an endpoint that comes, is shared, is used by aws-ses bindings, and goes."""

from dataclasses import replace
from typing import Any

import pytest

from lambdas.broker.instances.privatelink import LOOK_EVERY
from lambdas.broker.operations.engine import StepDone, StepWaiting
from lambdas.broker.osb.catalog import PRIVATELINK_PLAN, PRIVATELINK_SERVICE, catalog
from lambdas.domain.tenants.operation_task import OperationTask
from tests.broker.world import LINK, World, settings

NAMES = {"service_id": PRIVATELINK_SERVICE, "plan_id": PRIVATELINK_PLAN}
HOST = "vpce-p1-abcd.email-smtp.us-east-1.vpce.amazonaws.com"
VPC = settings(privatelink_vpc_id="vpc-1")


@pytest.fixture
def world() -> World:
    """A broker with a VPC."""
    return World(settings=VPC)


def linked(world: World, instance_id: str = "p1", **changes: Any) -> None:
    """Provision a privatelink instance."""
    world.ready(instance_id, **{**LINK, **changes})


def test_the_catalog_offers_it_only_with_a_vpc(world: World) -> None:
    """Without one its ids are unknown."""
    assert [service["name"] for service in catalog(VPC)["services"]] == ["aws-ses", "privatelink"]
    assert [service["name"] for service in catalog(settings())["services"]] == ["aws-ses"]
    assert World().provision("p1", **LINK).status == 400


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"serviceName": None},
        {"serviceName": ""},
        {"serviceName": ["com.amazonaws.us-east-1.email-smtp"]},
        {"serviceName": "com.amazonaws.eu-central-1.email-smtp"},
        {"serviceName": "com.amazonaws.us-east-1.s3"},
        {"serviceName": "com.amazonaws.us-east-1.email-smtp", "more": 1},
    ],
)
def test_the_service_name_is_the_regions_smtp(world: World, parameters: dict[str, Any]) -> None:
    """Anything else is refused with what would be right."""
    answer = world.provision("p1", **{**LINK, "parameters": parameters})
    assert answer.status == 400
    assert "serviceName" in answer.body["description"]
    assert world.left() == {}


def test_an_endpoint_is_followed_until_it_is_available(world: World) -> None:
    """last_operation tells its state; then bindings have its host, and the port SAP's sample takes."""
    world.provision("p1", **LINK)
    message, _ = world.tasks.messages.pop()
    world.engine.run_step(message, owner="w")
    assert "pending" in world.poll("p1").body["description"]
    world.work()
    assert world.poll("p1", operation=message.operation_id).body["state"] == "succeeded"
    assert world.endpoints.groups == {"p1": ("10.0.0.0/16",)}
    assert world.fetch("p1").body["parameters"] == LINK["parameters"]
    for binding, status in (("b1", 201), ("b1", 200), ("b2", 201)):
        answer = world.bind(binding, "p1", **NAMES)
        assert (answer.status, answer.body["credentials"]) == (status, {"hostname": HOST, "port": 2587})
    assert world.fetch("p1/service_bindings/b1").body["credentials"]["hostname"] == HOST
    assert world.users.users == {}
    assert world.deprovision("p1", service=PRIVATELINK_SERVICE, plan=PRIVATELINK_PLAN).status == 422
    for binding in ("b1", "b2"):
        assert world.unbind(binding, "p1", **NAMES).status == 200
    assert list(world.endpoints.endpoints) == ["p1"]
    assert world.deprovision("p1", service=PRIVATELINK_SERVICE, plan=PRIVATELINK_PLAN).status == 202
    world.work()
    assert world.left() == {}


def test_rotation_is_a_binding_more(world: World) -> None:
    """There is nothing to inherit but the endpoint."""
    linked(world)
    world.bind("b1", "p1", **NAMES)
    assert world.bind("b2", "p1", predecessor_binding_id="b1", **NAMES).status == 201
    assert world.unbind("b1", "p1", **NAMES).status == 200
    assert world.fetch("p1/service_bindings/b2").status == 200


@pytest.mark.parametrize("state", ["rejected", "failed"])
def test_a_lost_endpoint_ends_the_operation_with_awss_reason(world: World, state: str) -> None:
    """And is removed."""
    world.endpoints.ends_as = state
    world.provision("p1", **LINK)
    world.work()
    answer = world.poll("p1").body
    assert answer["state"] == "failed"
    assert state in answer["description"]
    assert "no quota" in answer["description"]
    assert world.left() == {}


@pytest.mark.parametrize("parameters", [{"x": 1}, {"source_ips": ["198.51.100.7"]}])
def test_its_bindings_take_no_parameters(world: World, parameters: dict[str, Any]) -> None:
    """Nor do its updates."""
    linked(world)
    assert world.bind("b1", "p1", parameters=parameters, **NAMES).status == 400
    assert world.update("p1", parameters=parameters, **NAMES).status == 422
    assert world.update("p1", **NAMES).status == 200


def test_an_aws_ses_binding_can_go_through_it(world: World) -> None:
    """Its host is the endpoint's; the endpoint stays as long as it is needed."""
    linked(world)
    world.ready("i1")
    credentials = world.bind("b1", parameters={"privatelink_instance_id": "p1"}).body["credentials"]
    assert (credentials["smtp_server"], credentials["smtp_port"]) == (HOST, 2587)
    answer = world.deprovision("p1", service=PRIVATELINK_SERVICE, plan=PRIVATELINK_PLAN)
    assert (answer.status, "go through this one" in answer.body["description"]) == (422, True)
    successor = world.bind("b2", predecessor_binding_id="b1").body["credentials"]
    assert successor["smtp_server"] == HOST
    for binding in ("b1", "b2"):
        world.unbind(binding)
    assert world.deprovision("p1", service=PRIVATELINK_SERVICE, plan=PRIVATELINK_PLAN).status == 202


def test_source_ips_beside_it_are_refused_with_the_reason(world: World) -> None:
    """The caller's public address does not reach IAM through an endpoint."""
    linked(world)
    world.ready("i1")
    answer = world.bind("b1", parameters={"privatelink_instance_id": "p1", "source_ips": ["198.51.100.7"]})
    assert (answer.status, "public address" in answer.body["description"]) == (400, True)


@pytest.mark.parametrize(
    "changes", [{"organization_guid": "org-2"}, {"space_guid": "space-2"}], ids=["organization", "space"]
)
def test_both_must_be_of_one_organization_and_space(world: World, changes: dict[str, str]) -> None:
    """An endpoint is not lent."""
    linked(world, **changes)
    world.ready("i1")
    answer = world.bind("b1", parameters={"privatelink_instance_id": "p1"})
    assert (answer.status, "another organization or space" in answer.body["description"]) == (400, True)


def test_what_is_named_must_be_a_privatelink_instance_that_is_ready(world: World) -> None:
    """Not one that is unknown, another service's, under way, or gone."""
    world.ready("i1")
    world.ready("i2", parameters={"admin_email": "a@b.cc", "domain": "other.gov"})
    world.provision("p1", **LINK)
    for name in ("p9", "i2", "p1"):
        assert world.bind("b1", parameters={"privatelink_instance_id": name}).status == 400
    world.work()
    world.deprovision("p1", service=PRIVATELINK_SERVICE, plan=PRIVATELINK_PLAN)
    assert world.bind("b1", parameters={"privatelink_instance_id": "p1"}).status == 422
    world.work()
    assert world.bind("b1", parameters={"privatelink_instance_id": "p1"}).status == 400


@pytest.mark.parametrize("after", [False, True])
def test_dying_anywhere_leaves_no_endpoint(after: bool) -> None:
    """Between any two calls of provisioning, binding and deprovisioning."""
    at = 0
    while True:
        world = World(settings=VPC)
        world.gate.die_at, world.gate.after = at, after
        if world.surviving(lambda world=world: life(world)):
            break
        world.gate.die_at = None
        world.later(minutes=12)
        world.sweep.run(now=world.now)
        world.work()
        world.unbind("b2", "i1")
        world.unbind("b1", "p1", **NAMES)
        world.deprovision("i1")
        world.deprovision("p1", service=PRIVATELINK_SERVICE, plan=PRIVATELINK_PLAN)
        world.work()
        assert world.left() == {}, at
        at += 1
    assert at > 100


def life(world: World) -> None:
    """A privatelink instance and an aws-ses one that goes through it, from beginning to end."""
    linked(world)
    world.ready("i1")
    world.bind("b1", "p1", **NAMES)
    world.bind("b2", "i1", parameters={"privatelink_instance_id": "p1"})
    world.unbind("b2", "i1")
    world.unbind("b1", "p1", **NAMES)
    world.deprovision("i1")
    world.deprovision("p1", service=PRIVATELINK_SERVICE, plan=PRIVATELINK_PLAN)
    world.work()


def test_an_endpoint_that_does_not_appear_yet_is_waited_for(world: World) -> None:
    """EC2 may not list it for some seconds; the token of the request is as long as EC2 takes."""
    tokens, ensure = [], world.endpoints.ensure_endpoint

    def unseen(*args: Any, **kwargs: Any) -> str:
        tokens.append(kwargs["token"])
        made = ensure(*args, **kwargs)
        world.endpoints.endpoints.clear()
        return made

    world.endpoints.ensure_endpoint = unseen  # type: ignore[method-assign]
    world.provision("p1", **LINK)
    instance = world.table.instances["p1"]
    long = replace(instance, operation=replace(instance.operation, id="o" * 70))
    world.table.instances["p1"] = long
    world.engine.run_step(OperationTask(instance_id="p1", operation_id="o" * 70), owner="w")
    assert tokens == ["o" * 64]
    assert world.poll("p1").body["description"] == "Waiting for the endpoint to appear"
    assert world.tasks.messages[-1][1] == LOOK_EVERY


def test_an_endpoint_that_is_available_without_a_host_is_waited_for(world: World) -> None:
    """Bindings could not name one."""
    world.endpoints.takes, world.endpoints.hostname = 0, ""
    world.provision("p1", **LINK)
    message, _ = world.tasks.messages.pop()
    world.engine.run_step(message, owner="w")
    assert world.poll("p1").body["description"] == "Waiting for the endpoint, which is available"


def test_a_lost_endpoint_without_a_reason_says_so(world: World) -> None:
    """EC2 need not give one."""
    world.endpoints.takes, world.endpoints.ends_as, world.endpoints.error = 0, "failed", ""
    world.provision("p1", **LINK)
    world.work()
    words = "Could not be created: AWS says the endpoint is failed: no reason given"
    assert world.poll("p1").body["description"] == words


def test_a_security_group_that_is_still_in_use_is_waited_for(world: World) -> None:
    """EC2 frees it some time after the endpoint is gone."""
    linked(world)
    instance = world.table.instances["p1"]
    group = world.engine.steps_of(instance)[0]
    assert group.remove(instance) == StepWaiting(LOOK_EVERY, "Waiting for the security group to be free")
    world.endpoints.endpoints.clear()
    assert group.remove(instance) == StepDone()
