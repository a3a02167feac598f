"""Each role against what its function asks for: nothing is denied, and nothing is granted that nobody asks for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import pytest

from tests.iam.implicit import ALWAYS, IN_A_VPC, Implicit
from tests.iam.mapping import LEADING_KEYS
from tests.iam.policy import Grant, allows, grants
from tests.iam.requests import Asked, written
from tests.iam.walks import portal
from tests.iam.world import CLIENT_SECRET, ZONE_SECRET, World
from tests.infra.synthesis import synthesise

pytestmark = pytest.mark.xdist_group("infra")

OPTIONAL_FUNCTIONS = {  # by the context key that adds them
    "portal": ("portal", "replay"),
    "mails_per_instance_and_day": ("reputation-cap",),
}
CAP = {"mails_per_instance_and_day": "50000"}
ZONE = {"zone_name": "mail.example.gov", "zone_id": "Z0123456789ABC"}
PRIVATELINK = {"privatelink_vpc_id": "vpc-0123456a"}
SUBNETS = {"delivery_subnet_ids": "subnet-0123456a", "delivery_security_group_ids": "sg-0123456a"}
_ZONE_ELSEWHERE = Implicit(
    because="Reads the credentials of a zone in another account; the journeys' zone is in their own.",
    functions=("worker",),
    actions=("secretsmanager:GetSecretValue",),
    resource="zone-secret",
)

_CLIENT = Implicit(
    because="The catalog's dashboard_client, and signing in; no journey has a Cloud Foundry.",
    functions=("broker", "portal"),
    actions=("secretsmanager:GetSecretValue",),
    resource="client-secret",
)
CLOUD_FOUNDRY = {
    "portal": "cloud-foundry",
    "portal_issuer": "https://uaa.cf.example.gov",
    "portal_cloud_controller_url": "https://api.cf.example.gov",
    "portal_client_secret_arn": CLIENT_SECRET,
}


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A way to deploy the stack: its context, what nobody asks for then, and what is asked for besides.

    *walk* records what the journeys walk in part only.
    """

    context: Mapping[str, str]
    without: tuple[str, ...] = ()  # services
    implicit: tuple[Implicit, ...] = ()
    walk: Callable[[], frozenset[Asked]] = frozenset
    region: str = "us-east-1"
    partition: str = "aws"

    def asked(self) -> list[Asked]:
        """All that its functions ask for."""
        absent = {name for key, names in OPTIONAL_FUNCTIONS.items() if key not in self.context for name in names}
        recorded = [one for one in written() if not one.action.startswith(self.without)]
        implicit = [one for group in (*ALWAYS, *self.implicit) for one in group.requests()]
        return [one for one in (*recorded, *implicit, *self.walk()) if one.function not in absent]


VARIANTS = {
    "standard": Variant(context=ZONE, without=("ec2:",)),
    "daily cap": Variant(context=ZONE | CAP, without=("ec2:",)),
    "privatelink": Variant(context=ZONE | PRIVATELINK),
    "no zone": Variant(context={}, without=("ec2:", "route53:")),
    "delivery in a VPC": Variant(context=ZONE | SUBNETS, without=("ec2:",), implicit=(IN_A_VPC,)),
    "GovCloud": Variant(
        context=ZONE | PRIVATELINK | SUBNETS | {"zone_credentials_secret_arn": ZONE_SECRET},
        without=("route53:",),
        implicit=(IN_A_VPC, _ZONE_ELSEWHERE),
        region="us-gov-west-1",
        partition="aws-us-gov",
    ),
    "another name": Variant(context=ZONE | {"stack_name": "Mail-alerts"}, without=("ec2:",)),
    "portal": Variant(context=ZONE | {"portal": "links"}, without=("ec2:",), walk=portal),
    "portal on Cloud Foundry": Variant(
        context=ZONE | CLOUD_FOUNDRY, without=("ec2:",), implicit=(_CLIENT,), walk=portal
    ),
}


@cache
def world(variant: str) -> World:
    """The variant's template, deployed."""
    chosen = VARIANTS[variant]
    synthesis = synthesise(chosen.region, **chosen.context)
    stack = chosen.context.get("stack_name", "ses-feedback")
    return World(synthesis, stack=stack, partition=chosen.partition, region=chosen.region)


@pytest.mark.parametrize("variant", VARIANTS)
def test_nothing_that_a_function_asks_for_is_denied(variant: str) -> None:
    """The embedded AWS enforces no policy: what is denied here fails on AWS only."""
    deployed = world(variant)
    denied = [
        str(asked)
        for asked in VARIANTS[variant].asked()
        if not allows(
            [deployed.policies[asked.function]], deployed.request(asked.action, asked.resource, dict(asked.context))
        )
    ]
    assert denied == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_grant_outlasts_its_condition(variant: str) -> None:
    """What is asked for under a condition is denied without it: another purpose, another boundary, no tag of ours."""
    deployed = world(variant)
    allowed = [
        str(asked)
        for asked in VARIANTS[variant].asked()
        if {key for key, _ in asked.context} - {LEADING_KEYS}
        and allows([deployed.policies[asked.function]], deployed.request(asked.action, asked.resource, {}))
    ]
    assert allowed == []


@pytest.mark.parametrize("context", [{}, {LEADING_KEYS: "instance#i1"}, {LEADING_KEYS: "domains"}])
def test_of_the_broker_s_table_the_portal_writes_only_counters_of_confirmation_mails(context: dict[str, str]) -> None:
    """It reads all of it: instances and their domains."""
    deployed = world("portal")
    policies = [deployed.policies["portal"]]
    counter = {LEADING_KEYS: "confirmations#0f1e"}
    assert allows(policies, deployed.request("dynamodb:UpdateItem", "table/broker", counter))
    for action in ("UpdateItem", "PutItem", "DeleteItem"):
        assert not allows(policies, deployed.request(f"dynamodb:{action}", "table/broker", context))


@pytest.mark.parametrize("variant", VARIANTS)
def test_nothing_is_granted_that_no_function_asks_for(variant: str) -> None:
    """By action, resource pattern and each value of a condition: a call that is gone takes its permission with it."""
    unused = [
        f"{function}: {grant}" for function in world(variant).policies for grant in unused_grants(variant, function)
    ]
    assert unused == []


def unused_grants(variant: str, function: str) -> list[Grant]:
    """The grants of a role that allow nothing of what its function asks for."""
    deployed = world(variant)
    requests = [
        deployed.request(asked.action, asked.resource, dict(asked.context))
        for asked in VARIANTS[variant].asked()
        if asked.function == function
    ]
    return [
        grant
        for grant in grants(deployed.policies[function])
        if not any(grant.action == request.action and grant.allows(request) for request in requests)
    ]
