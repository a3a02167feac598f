"""Interface endpoints on moto, which has their DNS entries but not the zones of a service: those are given here."""

from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from lambdas.aws.ec2.vpc_endpoints import PORTS, Endpoints
from lambdas.domain.errors import Declined, NotOurs
from lambdas.domain.tenants.aws_names import INSTANCE_TAG

SERVICE = "com.amazonaws.us-east-1.email-smtp"
TAGS = {INSTANCE_TAG: "i1", "ses-feedback:space-name": "dev"}


@pytest.fixture
def ec2() -> Iterator[Any]:
    """EC2, offering the service in two zones."""
    with mock_aws():
        client = boto3.client("ec2", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        client.describe_vpc_endpoint_services = Mock(  # type: ignore[method-assign]
            return_value={
                "ServiceDetails": [{"ServiceName": SERVICE, "AvailabilityZones": ["us-east-1a", "us-east-1d"]}]
            }
        )
        yield client


@pytest.fixture
def vpc(ec2: Any) -> str:
    """The default VPC: a subnet in each of six zones."""
    return str(ec2.describe_vpcs()["Vpcs"][0]["VpcId"])


@pytest.fixture
def endpoints(ec2: Any, vpc: str) -> Endpoints:
    """The adapter."""
    return Endpoints(ec2, vpc_id=vpc)


def zones(ec2: Any, subnets: Any) -> list[str]:
    found = ec2.describe_subnets(SubnetIds=list(subnets))["Subnets"]
    return sorted(subnet["AvailabilityZone"] for subnet in found)


def made(endpoints: Endpoints, token: str = "t") -> str:
    group = endpoints.ensure_group("ses-feedback-i1", ["10.0.0.0/8"], TAGS)
    subnets = endpoints.subnets(SERVICE, [])
    return endpoints.ensure_endpoint(SERVICE, subnets=subnets, group_id=group, token=token, tags=TAGS)


def test_subnets_are_those_of_the_services_zones_one_a_zone(ec2: Any, vpc: str, endpoints: Endpoints) -> None:
    """Or of those the operator named; none at all is said, not tried."""
    ec2.create_subnet(VpcId=vpc, CidrBlock="172.31.128.0/24", AvailabilityZone="us-east-1a")
    assert zones(ec2, endpoints.subnets(SERVICE, [])) == ["us-east-1a", "us-east-1d"]
    named = [
        s["SubnetId"] for s in ec2.describe_subnets()["Subnets"] if s["AvailabilityZone"] in "us-east-1d us-east-1f"
    ]
    assert zones(ec2, endpoints.subnets(SERVICE, named)) == ["us-east-1d"]
    with pytest.raises(Declined, match="no subnet"):
        endpoints.subnets(SERVICE, ["subnet-elsewhere"])


def test_zones_may_come_by_id(ec2: Any, endpoints: Endpoints) -> None:
    """A zone's name differs from account to account, its id does not."""
    [subnet, *_] = ec2.describe_subnets()["Subnets"]
    details = {"ServiceName": SERVICE, "AvailabilityZones": [], "AvailabilityZoneIds": [subnet["AvailabilityZoneId"]]}
    ec2.describe_vpc_endpoint_services = Mock(return_value={"ServiceDetails": [details]})
    assert endpoints.subnets(SERVICE, []) == (subnet["SubnetId"],)


def test_the_vpcs_own_networks(endpoints: Endpoints) -> None:
    """Each once."""
    assert endpoints.cidrs() == ("172.31.0.0/16",)


def test_a_group_admits_smtp_from_where_it_is_told_alone(ec2: Any, endpoints: Endpoints) -> None:
    """Made twice it is one."""
    ids = {endpoints.ensure_group("ses-feedback-i1", ["10.0.0.0/8", "fd00::/8"], TAGS) for _ in range(2)}
    [group] = ec2.describe_security_groups(GroupIds=list(ids))["SecurityGroups"]
    assert {permission["FromPort"] for permission in group["IpPermissions"]} == set(PORTS)
    sources = {
        entry.get("CidrIp") or entry.get("CidrIpv6")
        for permission in group["IpPermissions"]
        for entry in (*permission["IpRanges"], *permission["Ipv6Ranges"])
    }
    assert sources == {"10.0.0.0/8", "fd00::/8"}


def test_an_endpoint_is_made_once_and_found_by_its_tag(ec2: Any, endpoints: Endpoints) -> None:
    """Its regional name is the one without a zone."""
    assert endpoints.endpoint("i1") is None
    ids = {made(endpoints) for _ in range(2)}
    found = endpoints.endpoint("i1")
    assert found is not None
    assert {found.id} == ids
    assert found.state == "available"
    assert found.hostname.startswith(found.id)
    [described] = ec2.describe_vpc_endpoints(VpcEndpointIds=list(ids))["VpcEndpoints"]
    assert described["PrivateDnsEnabled"] is False
    assert found.hostname == min((entry["DnsName"] for entry in described["DnsEntries"]), key=len)
    assert endpoints.endpoint("i2") is None


def test_an_endpoint_and_its_group_go_and_gone_is_fine(ec2: Any, endpoints: Endpoints) -> None:
    """Another instance's stay."""
    made(endpoints)
    other = {**TAGS, INSTANCE_TAG: "i2"}
    group = endpoints.ensure_group("ses-feedback-i2", ["10.0.0.0/8"], other)
    while not endpoints.remove_endpoint("i1"):
        pass
    for _ in range(2):
        assert endpoints.remove_endpoint("i1")
        assert endpoints.remove_group("i1")
    assert endpoints.endpoint("i1") is None
    assert group in {found["GroupId"] for found in ec2.describe_security_groups()["SecurityGroups"]}


def refusing(operation: str, code: str) -> Endpoints:
    """EC2 that has nothing and refuses one call."""
    ec2 = Mock()
    empty = {"VpcEndpoints": [], "SecurityGroups": [{"GroupId": "sg-1"}]}
    ec2.get_paginator.return_value.paginate.return_value = [empty]
    error = ClientError({"Error": {"Code": code, "Message": "50 is the most"}}, operation)
    getattr(ec2, operation).side_effect = error
    return Endpoints(ec2, vpc_id="vpc-1")


def test_a_quota_is_declined_in_awss_words() -> None:
    """Trying again would not change it."""
    endpoints = refusing("create_vpc_endpoint", "VpcEndpointLimitExceeded")
    with pytest.raises(Declined, match="50 is the most"):
        endpoints.ensure_endpoint(SERVICE, subnets=["s"], group_id="sg-1", token="t", tags=TAGS)


def test_other_errors_are_not_hidden() -> None:
    """They are tried again, and raised."""
    endpoints = refusing("create_vpc_endpoint", "InternalError")
    with pytest.raises(ClientError):
        endpoints.ensure_endpoint(SERVICE, subnets=["s"], group_id="sg-1", token="t", tags=TAGS)


def test_a_group_still_in_use_stays_for_the_next_try() -> None:
    """The endpoint's interfaces take a while to go."""
    assert refusing("delete_security_group", "DependencyViolation").remove_group("i1") is False
    assert refusing("delete_security_group", "InvalidGroup.NotFound").remove_group("i1") is True


@pytest.mark.parametrize("tags", [[], [{"Key": INSTANCE_TAG, "Value": "i2"}]])
def test_anothers_security_group_is_not_taken(
    ec2: Any, vpc: str, endpoints: Endpoints, tags: list[dict[str, str]]
) -> None:
    """Opening it to the VPC's networks would open whatever else it protects."""
    group = ec2.create_security_group(GroupName="ses-feedback-i1", Description="d", VpcId=vpc)["GroupId"]
    if tags:
        ec2.create_tags(Resources=[group], Tags=tags)
    with pytest.raises(NotOurs, match=r"^a security group named ses-feedback-i1 exists"):
        endpoints.ensure_group("ses-feedback-i1", ["10.0.0.0/8"], TAGS)
    assert ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"] == []


def test_our_security_group_is_taken_although_the_search_by_tag_does_not_show_it_yet(
    ec2: Any, vpc: str, endpoints: Endpoints
) -> None:
    """EC2 is eventually consistent, also between its own filters."""
    group = endpoints.ensure_group("ses-feedback-i1", ["10.0.0.0/8"], TAGS)
    ec2.get_paginator = Mock(return_value=Mock(paginate=lambda **_: [{"SecurityGroups": []}]))
    assert endpoints.ensure_group("ses-feedback-i1", ["10.0.0.0/8"], TAGS) == group
