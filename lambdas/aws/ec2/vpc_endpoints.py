"""Interface endpoints and their security groups, found by the instance's tag.

https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lambdas.aws.errors import code, ignoring, throttling
from lambdas.aws.tags import owner_in, owner_of
from lambdas.domain.errors import Declined, NotOurs
from lambdas.domain.tenants.aws_names import INSTANCE_TAG, tag_value
from lambdas.domain.tenants.vpc_endpoint import Endpoint

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client
    from types_boto3_ec2.literals import ResourceTypeType
    from types_boto3_ec2.type_defs import (
        FilterTypeDef,
        IpPermissionTypeDef,
        SecurityGroupTypeDef,
        TagSpecificationTypeDef,
        VpcEndpointTypeDef,
    )

PORTS = (
    465,
    587,
    2587,
)  # TLS, and STARTTLS twice; 25 is left out: AWS throttles it elsewhere, nobody needs it
_ENDED = frozenset({"deleting", "deleted"})
_DECLINED = frozenset(
    {
        "InvalidServiceName",
        "InvalidSubnetID.NotFound",
        "InvalidVpcId.NotFound",
        "SecurityGroupLimitExceeded",
        "VpcEndpointLimitExceeded",
    }
)
_GONE = ("InvalidVpcEndpointId.NotFound", "InvalidGroup.NotFound", "InvalidGroupId.NotFound")


class Endpoints:
    """Creates and removes the endpoint and the security group of an instance, in one VPC."""

    def __init__(self, client: "EC2Client", *, vpc_id: str) -> None:
        self._client = client
        self._vpc_id = vpc_id

    def subnets(self, service_name: str, wanted: Sequence[str]) -> tuple[str, ...]:
        """One subnet of the VPC (or of those *wanted*) in each zone that offers the service. Raises Declined."""
        with throttling():
            services = self._client.describe_vpc_endpoint_services(ServiceNames=[service_name])["ServiceDetails"]
            filters: list[FilterTypeDef] = [{"Name": "vpc-id", "Values": [self._vpc_id]}]
            pages = self._client.get_paginator("describe_subnets").paginate(Filters=filters)
            subnets = [subnet for page in pages for subnet in page["Subnets"]]
        zones = {zone for service in services for zone in service["AvailabilityZones"]}
        ids = {service_zone for service in services for service_zone in service.get("AvailabilityZoneIds", [])}
        by_zone: dict[str, str] = {}
        for subnet in sorted(subnets, key=lambda subnet: subnet["SubnetId"]):
            offered = subnet["AvailabilityZone"] in zones or subnet.get("AvailabilityZoneId") in ids
            if offered and (not wanted or subnet["SubnetId"] in wanted):
                by_zone.setdefault(subnet["AvailabilityZone"], subnet["SubnetId"])
        if not by_zone:
            raise Declined(f"the platform's network has no subnet in a zone that offers {service_name}")
        return tuple(by_zone.values())

    def cidrs(self) -> tuple[str, ...]:
        """The VPC's own IPv4 networks."""
        with throttling():
            [vpc] = self._client.describe_vpcs(VpcIds=[self._vpc_id])["Vpcs"]
        blocks = [entry["CidrBlock"] for entry in vpc.get("CidrBlockAssociationSet", [])]
        return tuple(dict.fromkeys([vpc["CidrBlock"], *blocks]))

    def ensure_group(self, name: str, cidrs: Sequence[str], tags: Mapping[str, str]) -> str:
        """The id of the security group that admits only SMTP from *cidrs*. Raises NotOurs."""
        with declining(), throttling():
            found = self._groups(tags[INSTANCE_TAG])
            group_id = found[0]["GroupId"] if found else self._make_group(name, tags)
            for cidr in cidrs:
                self._admit(group_id, cidr)
        return group_id

    def _make_group(self, name: str, tags: Mapping[str, str]) -> str:
        try:
            return self._client.create_security_group(
                GroupName=name,
                Description="SMTP to Amazon SES over a private endpoint",
                VpcId=self._vpc_id,
                TagSpecifications=_tagged("security-group", tags),
            )["GroupId"]
        except ClientError as error:
            if code(error) != "InvalidGroup.Duplicate":
                raise
        filters: list[FilterTypeDef] = [
            {"Name": "group-name", "Values": [name]},
            {"Name": "vpc-id", "Values": [self._vpc_id]},
        ]
        [found] = self._client.describe_security_groups(Filters=filters)["SecurityGroups"]
        if owner_in(found.get("Tags", [])) != owner_of(tags):
            raise NotOurs(
                f"a security group named {name} exists in {self._vpc_id} and does not belong to this service "
                "instance; ask the operator to delete it"
            )
        return found["GroupId"]

    def _admit(self, group_id: str, cidr: str) -> None:
        for port in PORTS:
            with ignoring("InvalidPermission.Duplicate"):
                self._client.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[_permission(port, cidr)])

    def ensure_endpoint(
        self, service_name: str, *, subnets: Sequence[str], group_id: str, token: str, tags: Mapping[str, str]
    ) -> str:
        """The id of the instance's endpoint. *token* makes a repeated call idempotent before EC2 lists the endpoint."""
        with declining(), throttling():
            if found := self.endpoint(tags[INSTANCE_TAG]):
                return found.id
            made = self._client.create_vpc_endpoint(
                VpcEndpointType="Interface",
                VpcId=self._vpc_id,
                ServiceName=service_name,
                SubnetIds=list(subnets),
                SecurityGroupIds=[group_id],
                PrivateDnsEnabled=False,  # it would redirect the public host name for everything in the VPC
                ClientToken=token,
                TagSpecifications=_tagged("vpc-endpoint", tags),
            )
        return made["VpcEndpoint"]["VpcEndpointId"]

    def endpoint(self, instance_id: str) -> Endpoint | None:
        """The instance's endpoint; None if it has none, or only deleted ones."""
        living = [found for found in self._endpoints(instance_id) if found["State"].lower() not in _ENDED]
        return _endpoint(living[0]) if living else None

    def remove_endpoint(self, instance_id: str) -> bool:
        """Delete the instance's endpoints; True once EC2 lists none, so that their group can be deleted."""
        left = [found for found in self._endpoints(instance_id) if found["State"].lower() != "deleted"]
        if doomed := [found["VpcEndpointId"] for found in left if found["State"].lower() != "deleting"]:
            with throttling(), ignoring(*_GONE):
                self._client.delete_vpc_endpoints(VpcEndpointIds=doomed)
        return not left

    def remove_group(self, instance_id: str) -> bool:
        """Delete the instance's security group; False while something still uses it. True if it does not exist."""
        for group in self._groups(instance_id):
            try:
                with throttling(), ignoring(*_GONE):
                    self._client.delete_security_group(GroupId=group["GroupId"])
            except ClientError as error:
                if code(error) != "DependencyViolation":
                    raise
                return False
        return True

    def _endpoints(self, instance_id: str) -> "list[VpcEndpointTypeDef]":
        with throttling():
            pages = self._client.get_paginator("describe_vpc_endpoints").paginate(Filters=_of(instance_id))
            return [found for page in pages for found in page["VpcEndpoints"]]

    def _groups(self, instance_id: str) -> "list[SecurityGroupTypeDef]":
        with throttling():
            pages = self._client.get_paginator("describe_security_groups").paginate(Filters=_of(instance_id))
            return [found for page in pages for found in page["SecurityGroups"]]


class declining:  # noqa: N801  # reads as a verb where it is used
    """Turn errors that a retry cannot fix into Declined, with AWS's message."""

    def __enter__(self) -> None:
        """Enter the context."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Raise Declined in place of such an error."""
        if isinstance(error, ClientError) and code(error) in _DECLINED:
            raise Declined(f"AWS declined: {error.response['Error'].get('Message', code(error))}") from error


def _endpoint(found: "VpcEndpointTypeDef") -> Endpoint:
    names = [entry.get("DnsName", "") for entry in found.get("DnsEntries", [])]
    ours = [name for name in names if name.startswith(found["VpcEndpointId"])]
    return Endpoint(
        id=found["VpcEndpointId"],
        state=found["State"].lower(),
        hostname=min(ours, key=len, default=""),  # a zonal name is the regional name with the zone in it
        error=found.get("LastError", {}).get("Message", "") or found.get("FailureReason", ""),
    )


def _of(instance_id: str) -> "list[FilterTypeDef]":
    return [{"Name": f"tag:{INSTANCE_TAG}", "Values": [tag_value(instance_id)]}]


def _tagged(kind: "ResourceTypeType", tags: Mapping[str, str]) -> "list[TagSpecificationTypeDef]":
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}]


def _permission(port: int, cidr: str) -> "IpPermissionTypeDef":
    if ":" in cidr:
        return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "Ipv6Ranges": [{"CidrIpv6": cidr}]}
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": cidr}]}
