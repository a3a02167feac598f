"""Signing in by a one-time link, and out again."""

from datetime import UTC, datetime, timedelta

import pytest

from lambdas.domain.portal import OPERATOR, Right
from tests.portal.world import Caller, World


def test_opening_a_link_signs_nobody_in(world: World) -> None:
    """Mail scanners follow links: only the button's POST uses one up."""
    link = world.link(world.tenant("i1"))
    for _ in range(3):
        answer = Caller().get(link)
        assert answer.status == 200
        assert not answer.cookie
        assert "<button>Sign in</button>" in answer.text


def test_a_link_works_once(world: World) -> None:
    """Whoever comes second is told to ask for a new one."""
    token = world.link(world.tenant("i1")).rpartition("/")[2]
    assert Caller().post("/link", {"token": token}, form_token=False).status == 303
    again = Caller().post("/link", {"token": token}, form_token=False)
    assert (again.status, again.cookie) == (400, "")
    assert Caller().get(f"/link/{token}").status == 410


def test_a_link_expires_after_fifteen_minutes(world: World) -> None:
    """DynamoDB removes it later; it counts as gone at once."""
    world.tenant("i1")
    token = world.link("i1", now=datetime.now(UTC) - timedelta(minutes=15, seconds=1)).rpartition("/")[2]
    assert Caller().post("/link", {"token": token}, form_token=False).status == 400


def test_a_link_for_an_instance_leads_to_its_page(world: World) -> None:
    """And the cookie has every attribute that keeps it where it belongs."""
    token = world.link(world.tenant("i1")).rpartition("/")[2]
    answer = Caller().post("/link", {"token": token}, form_token=False)
    assert answer.headers["location"] == "./instances/i1"
    name, *attributes = answer.cookie.split("; ")
    assert name.startswith("__Host-session=")
    assert set(attributes) == {"Path=/", "Secure", "HttpOnly", "SameSite=Lax", "Max-Age=28800"}


def test_signing_out_ends_the_session_on_the_server(world: World) -> None:
    """A copy of the cookie is worthless afterwards."""
    caller = world.caller(world.tenant("i1"))
    assert caller.get("/instances/i1").status == 200
    assert caller.post("/sign-out").status == 303
    assert caller.get("/instances/i1").status == 401


def test_an_operator_ends_all_sessions_of_an_instance(world: World) -> None:
    """Of that instance alone, with the links that nobody used yet."""
    ours, others = world.caller(world.tenant("i1")), world.caller(world.tenant("i2"))
    unused = world.link("i1")
    assert world.table.end_sessions("i1") == 2
    assert ours.get("/instances/i1").status == 401
    assert Caller().get(unused).status == 410
    assert others.get("/instances/i2").status == 200


@pytest.mark.parametrize(("right", "status"), [(Right.MANAGE, 303), (Right.READ, 404)])
def test_a_read_only_link_looks_and_does_not_act(world: World, right: Right, status: int) -> None:
    """The page shows no button that would be refused, and the route refuses."""
    world.tenant("i1")
    world.webhook("i1", "w1")
    caller = world.caller("i1", right=right)
    page = caller.get("/instances/i1/webhooks/w1")
    assert page.status == 200
    assert ("Send a test" in page.text) is (right is Right.MANAGE)
    assert caller.post("/instances/i1/webhooks/w1/test").status == status
    assert len(world.queued()) == (right is Right.MANAGE)


def test_an_operator_s_link_opens_every_instance(world: World) -> None:
    """And the list of them."""
    world.tenant("i1", domain="one.agency.gov")
    caller = world.caller(OPERATOR)
    assert "one.agency.gov" in caller.get("/").text
    assert caller.get("/instances/i1").status == 200


def test_a_tenant_s_home_is_its_instance(world: World) -> None:
    """The list is the operator's."""
    answer = world.caller(world.tenant("i1")).get("/")
    assert (answer.status, answer.headers["location"]) == (303, "instances/i1")
