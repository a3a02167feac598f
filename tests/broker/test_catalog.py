"""The catalog: ids for ever, names for command lines, schemas that say what the parser does."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from lambdas.broker.osb.catalog import catalog, plans
from lambdas.broker.osb.errors import BadParameter
from lambdas.broker.osb.parameters import WebhookRules, bind_ses, provision_ses
from lambdas.domain.portal import OAuthClient
from lambdas.domain.tenants.instance import BindRequest
from lambdas.domain.webhooks.address_rules import AddressRules
from tests.broker.world import World, settings

OFFERED = catalog(settings(privatelink_vpc_id="vpc-1"))["services"]
RULES = WebhookRules(addresses=AddressRules(), private_names=False)
A = {"admin_email": "a@b.cc"}
W = {"notification_webhook": "https://app.example.gov/"}


def test_the_whole_catalog_is_as_platforms_know_it() -> None:
    """What stands in catalog.json is what tenants build on: each change of it is one that they see."""
    known = settings(privatelink_vpc_id="vpc-1", portal_url="https://portal.agency.gov")
    answered = catalog(known, OAuthClient(id="mail-portal", secret="canary"))
    assert answered == json.loads(Path(__file__).with_name("catalog.json").read_text())


def test_ids_never_change() -> None:
    """Platforms know services and plans by them."""
    assert [(s["name"], s["id"], [(p["name"], p["id"]) for p in s["plans"]]) for s in OFFERED] == [
        (
            "aws-ses",
            "5f1c4c0e-2b9a-5c39-9c1e-6a0d7f3b8e21",
            [("domain", "b7d0a6f2-41f7-5a5e-8d3c-0f9e6c2a1b54")],
        ),
        (
            "privatelink",
            "8a2e5b7d-93c4-5d10-a6f8-1c7b4e9d2f63",
            [("standard", "e3c9f1a8-6d25-5b7e-9f04-7a8d3c5b1e92")],
        ),
    ]


def test_two_cells_have_no_id_and_no_name_in_common_and_keep_their_own() -> None:
    """A platform takes one id for one thing, whichever of its brokers says it."""
    seen = [ids_and_names(catalog(settings(privatelink_vpc_id="vpc-1", cell=cell))) for cell in ("", "west", "west-2")]
    assert sum(map(len, seen)) == len(set().union(*seen)) == 18
    west = catalog(settings(cell="west"))["services"][0]
    assert (west["name"], west["plans"][0]["name"]) == ("aws-ses-west", "domain")
    assert (west["id"], west["plans"][0]["id"]) == (
        "bb2abe77-4a9b-59fd-96e4-c8ebeaeecfa0",
        "12d75758-d29f-558a-9fb5-f4e523391da7",
    )


def ids_and_names(offered: dict[str, Any]) -> set[str]:
    """What must differ between brokers of one platform."""
    services = offered["services"]
    return {service[key] for service in services for key in ("id", "name")} | {
        plan["id"] for service in services for plan in service["plans"]
    }


def test_a_cell_serves_its_own_instances_from_the_first_request_to_the_last() -> None:
    """And refuses what was meant for another cell."""
    world = World(settings=settings(cell="west", privatelink_vpc_id="vpc-1"))
    service, plan = next(iter(plans(world.settings).items()))
    names: Any = {"service_id": service, "plan_id": plan}
    assert world.provision(**names, parameters={"admin_email": "a@b.cc"}).status == 202
    world.work()
    assert world.call("GET", "/v2/service_instances/i1").body["service_id"] == service
    assert world.bind(**names, parameters=W).status == 201
    assert world.unbind(**names).status == 200
    assert world.deprovision(service=service, plan=plan).status == 202
    world.work()
    assert world.provision("i2").status == 400


@pytest.mark.parametrize("service", OFFERED, ids=lambda service: service["name"])
def test_what_platforms_go_by(service: dict[str, Any]) -> None:
    """Retrievable, rotatable, one plan that cannot be changed; CLI-friendly names; strings that are not empty."""
    assert service["bindable"]
    assert service["instances_retrievable"]
    assert service["bindings_retrievable"]
    assert service["binding_rotatable"]
    assert service["plan_updateable"] is False
    assert re.fullmatch(r"[a-z0-9-]+", service["name"])
    assert all(service["metadata"].values()) or service["metadata"]["shareable"] is False
    for plan in service["plans"]:
        assert re.fullmatch(r"[a-z0-9-]+", plan["name"])
        assert plan["description"]
        assert len(json.dumps(plan["schemas"])) < 64_000  # Cloud Foundry's limit


def test_the_portal_s_client_is_of_the_service_that_has_pages() -> None:
    """Cloud Foundry's Cloud Controller makes it at the UAA; its redirect URI is the portal's callback."""
    known = settings(privatelink_vpc_id="vpc-1", portal_url="https://portal.agency.gov")
    mail, link = catalog(known, OAuthClient(id="mail-portal", secret="canary"))["services"]
    redirect_uri = "https://portal.agency.gov/sign-in/callback"
    assert mail["dashboard_client"] == {"id": "mail-portal", "secret": "canary", "redirect_uri": redirect_uri}
    assert "dashboard_client" not in link
    assert all("dashboard_client" not in service for service in OFFERED)


def test_the_catalog_has_the_client_as_its_secret_is_now() -> None:
    """An operator who changes the secret updates the broker, and the platform changes the client."""
    world = World(settings=settings(portal_url="https://portal.agency.gov"))
    assert "dashboard_client" not in world.call("GET", "/v2/catalog").body["services"][0]
    for secret in ("first", "second"):
        world.dashboard_client = OAuthClient(id="mail-portal", secret=secret)
        assert world.call("GET", "/v2/catalog").body["services"][0]["dashboard_client"]["secret"] == secret


def test_metadata_comes_from_the_stacks_context() -> None:
    """What the operator left empty is left out."""
    metadata = catalog(settings(documentation_url="", display_name="Mail"))["services"][0]["metadata"]
    assert metadata["displayName"] == "Mail"
    assert metadata["supportUrl"] == "https://example.gov/help"
    assert "documentationUrl" not in metadata


def schema(kind: str, action: str, service: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = OFFERED[service]["plans"][0]["schemas"][kind][action]["parameters"]
    return found


@pytest.mark.parametrize("service", [0, 1])
@pytest.mark.parametrize(
    ("kind", "action"), [("service_instance", "create"), ("service_instance", "update"), ("service_binding", "create")]
)
def test_every_schema_is_one(kind: str, action: str, service: int) -> None:
    """Of the draft it names, which every platform must support."""
    found = schema(kind, action, service)
    assert found["$schema"] == "http://json-schema.org/draft-04/schema#"
    jsonschema_rs.meta.validate(found)


@pytest.mark.parametrize(
    ("parameters", "good"),
    [
        (A, True),
        ({**A, "domain": "agency.gov", "mail_from_subdomain": "bounce"}, True),
        ({**A, "domain": "", "enable_feedback_notifications": "true"}, True),
        ({**A, "dmarc_report_aggregate_recipients": ["d@b.cc"]}, True),
        ({}, False),
        ({**A, "novelty": 1}, False),
        ({**A, "enable_feedback_notifications": "yes"}, False),
        ({**A, "domain": None}, False),
        ({**A, "dmarc_report_failure_recipients": ["d@b.cc"] * 21}, False),
        ({"admin_email": 5}, False),
    ],
)
def test_the_schema_of_a_provision_says_what_the_parser_does(parameters: dict[str, Any], good: bool) -> None:
    """A platform that checks first comes to the same."""
    assert jsonschema_rs.is_valid(schema("service_instance", "create"), parameters) is good
    assert parses(lambda: provision_ses(parameters)) is good


@pytest.mark.parametrize(
    ("parameters", "good"),
    [
        ({}, True),
        (W, True),
        ({**W, "notification_events": ["bounce", "reject"], "notification_format": "sns"}, True),
        ({"source_ips": ["198.51.100.0/24"], "notification_email": "d@b.cc"}, True),
        ({"privatelink_instance_id": "p-1"}, True),
        ({**W, "notification_events": []}, False),
        ({**W, "notification_events": ["send"]}, False),
        ({**W, "notification_format": "email"}, False),
        ({**W, "notification_scope": "space"}, False),
        ({**W, "notification_batch": 100, "notification_batch_seconds": 60}, True),
        ({**W, "notification_batch": 0}, False),
        ({**W, "notification_batch": 101}, False),
        ({**W, "notification_batch": "10"}, False),
        ({**W, "notification_batch": True}, False),
        ({**W, "notification_batch": 2.5}, False),
        ({**W, "notification_batch_seconds": 61}, False),
        ({**W, "notification_batch_seconds": -1}, False),
        ({"source_ips": []}, False),
        ({"source_ips": "198.51.100.7"}, False),
        ({"novelty": 1}, False),
    ],
)
def test_the_schema_of_a_bind_says_what_the_parser_does(parameters: dict[str, Any], good: bool) -> None:
    """Here too."""
    base = BindRequest(service_id="s", plan_id="p")
    assert jsonschema_rs.is_valid(schema("service_binding", "create"), parameters) is good
    assert parses(lambda: bind_ses(parameters, base, rules=RULES)) is good


def parses(parse: Any) -> bool:
    try:
        parse()
    except BadParameter:
        return False
    return True
