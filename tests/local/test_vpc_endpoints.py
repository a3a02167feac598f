"""Interface endpoints answer as EC2's do: names, zones, groups, a state that takes a moment."""

import re
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.clients import Clients
from local.emulator.vpc_endpoints import dns_names
from tests.local.conftest import new_name

SERVICE = "com.amazonaws.us-east-1.email-smtp"


@pytest.fixture
def endpoint(aws: Clients) -> Any:
    """How to make an endpoint with its network: keywords for CreateVpcEndpoint."""
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"us-east-1{letter}")
        for number, letter in enumerate("ba")
    ]
    name = new_name("group")
    group = ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
    return {
        "VpcId": vpc,
        "VpcEndpointType": "Interface",
        "ServiceName": SERVICE,
        "SubnetIds": [subnet["Subnet"]["SubnetId"] for subnet in subnets],
        "SecurityGroupIds": [group],
        "PrivateDnsEnabled": False,
        "TagSpecifications": [
            {"ResourceType": "vpc-endpoint", "Tags": [{"Key": "instance", "Value": name}, {"Key": "a", "Value": "b"}]}
        ],
    }


def test_an_endpoint_has_its_names_the_regional_one_first(aws: Clients, endpoint: Any) -> None:
    """The form of the names is AWS's; the zones are those of its subnets."""
    made = aws.client("ec2").create_vpc_endpoint(**endpoint)["VpcEndpoint"]
    described = aws.client("ec2").describe_vpc_endpoints(VpcEndpointIds=[made["VpcEndpointId"]])["VpcEndpoints"][0]

    assert made["State"] == "pending"
    names = [entry["DnsName"] for entry in described["DnsEntries"]]
    match = re.fullmatch(r"(vpce-[0-9a-zA-Z]+-[0-9a-f]{8})\.email-smtp\.us-east-1\.vpce\.amazonaws\.com", names[0])
    assert match
    assert names[1:] == [f"{match[1]}-us-east-1{zone}.email-smtp.us-east-1.vpce.amazonaws.com" for zone in "ab"]
    assert [group["GroupId"] for group in described["Groups"]] == endpoint["SecurityGroupIds"]
    assert described["PrivateDnsEnabled"] is False
    assert described["SubnetIds"] == endpoint["SubnetIds"]


def test_an_endpoint_is_pending_first_then_available(aws: Clients, endpoint: Any) -> None:
    """A broker has to follow its state."""
    ec2 = aws.client("ec2")
    endpoint_id = ec2.create_vpc_endpoint(**endpoint)["VpcEndpoint"]["VpcEndpointId"]
    states = set()
    deadline = time.monotonic() + 10
    while "available" not in states and time.monotonic() < deadline:
        states.add(ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint_id])["VpcEndpoints"][0]["State"])
    assert states == {"pending", "available"}


def test_the_same_token_makes_one_endpoint(aws: Clients, endpoint: Any) -> None:
    """EC2's idempotency; once deleted, the token makes another."""
    ec2, token = aws.client("ec2"), new_name("token")
    first = ec2.create_vpc_endpoint(**endpoint, ClientToken=token)["VpcEndpoint"]
    again = ec2.create_vpc_endpoint(**endpoint, ClientToken=token)["VpcEndpoint"]
    assert again["VpcEndpointId"] == first["VpcEndpointId"]
    assert again["DnsEntries"] == first["DnsEntries"]
    ec2.delete_vpc_endpoints(VpcEndpointIds=[first["VpcEndpointId"]])
    third = ec2.create_vpc_endpoint(**endpoint, ClientToken=token)["VpcEndpoint"]
    assert third["VpcEndpointId"] != first["VpcEndpointId"]


def test_endpoints_are_found_by_their_tags(aws: Clients, endpoint: Any) -> None:
    """Filters filter."""
    ec2 = aws.client("ec2")
    made = ec2.create_vpc_endpoint(**endpoint)["VpcEndpoint"]["VpcEndpointId"]
    ec2.create_vpc_endpoint(**{**endpoint, "TagSpecifications": []})
    name = endpoint["TagSpecifications"][0]["Tags"][0]["Value"]

    filters = [{"Name": "tag:instance", "Values": [name]}, {"Name": "vpc-id", "Values": [endpoint["VpcId"]]}]
    found = ec2.describe_vpc_endpoints(Filters=filters)["VpcEndpoints"]
    assert [item["VpcEndpointId"] for item in found] == [made]
    assert ec2.describe_vpc_endpoints(Filters=[{"Name": "tag:instance", "Values": ["x"]}])["VpcEndpoints"] == []


def test_an_endpoint_that_is_gone_is_an_error(aws: Clients, endpoint: Any) -> None:
    """Described: not found; deleted again: unsuccessful."""
    ec2 = aws.client("ec2")
    made = ec2.create_vpc_endpoint(**endpoint)["VpcEndpoint"]["VpcEndpointId"]
    assert ec2.delete_vpc_endpoints(VpcEndpointIds=[made])["Unsuccessful"] == []
    with pytest.raises(ClientError, match=r"InvalidVpcEndpointId\.NotFound"):
        ec2.describe_vpc_endpoints(VpcEndpointIds=[made])
    failed = ec2.delete_vpc_endpoints(VpcEndpointIds=[made])["Unsuccessful"]
    assert [(item["ResourceId"], item["Error"]["Code"]) for item in failed] == [(made, "InvalidVpcEndpoint.NotFound")]


def test_the_smtp_service_is_not_offered_in_every_zone(aws: Clients) -> None:
    """us-east-1b and c are use1-az2 and use1-az3 here."""
    answer = aws.client("ec2").describe_vpc_endpoint_services(ServiceNames=[SERVICE])
    detail = answer["ServiceDetails"][0]
    assert answer["ServiceNames"] == [SERVICE]
    assert (detail["AvailabilityZones"], detail["VpcEndpointPolicySupported"]) == (["us-east-1a"], False)
    assert detail["ServiceType"] == [{"ServiceType": "Interface"}]


def test_names_without_subnets_are_the_regional_one_alone() -> None:
    """The id decides the label."""
    assert dns_names("vpce-0a", "com.amazonaws.eu-central-1.email-smtp", "eu-central-1", ()) == [
        "vpce-0a-020c070a.email-smtp.eu-central-1.vpce.amazonaws.com"
    ]
