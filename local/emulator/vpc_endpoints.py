"""Interface endpoints as EC2 answers them: DNS entries, groups, a pending state, filters."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from httpx import QueryParams, Response

from local.emulator.ec2_xml import add, add_list, child, element, items, named, parsed, rendered, tagged, text_of
from local.emulator.embedded import EmbeddedAws
from local.emulator.http_message import Request, ec2_error

PENDING = 1.0  # s until an endpoint is available; minutes on AWS
ELSEWHERE = frozenset(  # zones without SES's SMTP endpoint: SES developer guide, "Setting up VPC endpoints"
    ("use1-az2", "use1-az3", "use1-az5", "usw1-az2", "usw2-az4", "apne2-az4", "cac1-az3", "cac1-az4")
)
_FILTERED = {"vpc-id": "vpcId", "service-name": "serviceName", "vpc-endpoint-state": "state"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    at: float
    service: str
    region: str
    zones: tuple[str, ...]
    groups: tuple[str, ...]


class VpcEndpoints:
    """Completes EC2's answers about interface endpoints; gateway endpoints are left as they are."""

    def __init__(self, aws: EmbeddedAws, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._aws = aws
        self._clock = clock
        self._made: dict[str, _Made] = {}
        self._by_token: dict[str, str] = {}

    async def answer(self, request: Request) -> Response | None:
        """The answer to a call about VPC endpoints; None for every other call."""
        if request.caller.service != "ec2":
            return None
        match request.form.get("Action"):
            case "CreateVpcEndpoint" if request.form.get("VpcEndpointType") == "Interface":
                return await self._create(request)
            case "DescribeVpcEndpoints":
                return await self._describe(request)
            case "DeleteVpcEndpoints":
                return await self._delete(request)
            case "DescribeVpcEndpointServices" if _smtp_service(request) in request.members("ServiceName"):
                return await self._services(request)
        return None

    async def _create(self, request: Request) -> Response:
        token = request.form.get("ClientToken", "")
        made = self._by_token.get(token)
        if made not in self._made:
            answer = await self._aws.forward(request)
            endpoint = named(parsed(answer), "vpcEndpoint")
            if not answer.is_success or endpoint is None:
                return answer
            made = text_of(endpoint, "vpcEndpointId")
            await self._remember(request, made)
            self._by_token[token] = made
            if not token:
                del self._by_token[token]
        endpoint = await self._endpoint(request, made)
        root = element("CreateVpcEndpointResponse")
        child(root, "vpcEndpoint").extend(endpoint if endpoint is not None else ())
        return rendered(root)

    async def _remember(self, request: Request, endpoint_id: str) -> None:
        self._made[endpoint_id] = _Made(
            at=self._clock(),
            service=request.form.get("ServiceName", ""),
            region=request.caller.region,
            zones=await self._zones_of(request),
            groups=tuple(request.members("SecurityGroupId")),
        )

    async def _endpoint(self, request: Request, endpoint_id: str) -> Element | None:
        call = _call(request, {"Action": "DescribeVpcEndpoints", "VpcEndpointId.1": endpoint_id})
        found = next(items(parsed(await self._aws.forward(call)), "vpcEndpointSet"), None)
        if found is not None:
            self._complete(found)
        return found

    async def _describe(self, request: Request) -> Response:
        root = parsed(await self._aws.forward(request))
        endpoints = list(items(root, "vpcEndpointSet"))
        known = {text_of(endpoint, "vpcEndpointId") for endpoint in endpoints}
        if missing := next((wanted for wanted in request.members("VpcEndpointId") if wanted not in known), None):
            return ec2_error("InvalidVpcEndpointId.NotFound", f"The Vpc Endpoint Id '{missing}' does not exist")
        filters = _filters(request)
        listed = named(root, "vpcEndpointSet")
        for endpoint in endpoints:
            self._complete(endpoint)
            if listed is not None and not all(_matches(endpoint, name, values) for name, values in filters.items()):
                listed.remove(endpoint)
        return rendered(root)

    async def _delete(self, request: Request) -> Response:
        root = element("DeleteVpcEndpointsResponse")
        unsuccessful = child(root, "unsuccessful")
        for wanted in request.members("VpcEndpointId"):
            if await self._endpoint(request, wanted) is None:
                item = child(unsuccessful, "item")
                add(item, "resourceId", wanted)
                error = child(item, "error")
                add(error, "code", "InvalidVpcEndpoint.NotFound")
                add(error, "message", f"The Vpc Endpoint Id '{wanted}' does not exist")
            self._made.pop(wanted, None)
        await self._aws.forward(request)
        return rendered(root)

    async def _services(self, request: Request) -> Response:
        """The service catalogue's entry of SES's SMTP endpoint, with the zones that offer it."""
        zones = parsed(await self._aws.forward(_call(request, {"Action": "DescribeAvailabilityZones"})))
        listed = items(zones, "availabilityZoneInfo")
        offered = [text_of(zone, "zoneName") for zone in listed if text_of(zone, "zoneId") not in ELSEWHERE]
        service = _smtp_service(request)
        root = element("DescribeVpcEndpointServicesResponse")
        add_list(root, "serviceNameSet", [service])
        detail = child(child(root, "serviceDetailSet"), "item")
        add(detail, "serviceName", service)
        add(detail, "serviceId", f"vpce-svc-{_digest(service, 17)}")
        kind = child(child(detail, "serviceType"), "item")
        add(kind, "serviceType", "Interface")
        add_list(detail, "availabilityZoneSet", offered)
        add(detail, "owner", "amazon")
        add_list(detail, "baseEndpointDnsNameSet", [f"email-smtp.{request.caller.region}.vpce.amazonaws.com"])
        add(detail, "vpcEndpointPolicySupported", "false")
        add(detail, "acceptanceRequired", "false")
        return rendered(root)

    async def _zones_of(self, request: Request) -> tuple[str, ...]:
        wanted = {f"SubnetId.{number}": subnet for number, subnet in enumerate(request.members("SubnetId"), start=1)}
        if not wanted:
            return ()
        described = await self._aws.forward(_call(request, {"Action": "DescribeSubnets", **wanted}))
        found = [text_of(subnet, "availabilityZone") for subnet in items(parsed(described), "subnetSet")]
        return tuple(sorted(set(found)))

    def _complete(self, endpoint: Element) -> None:
        endpoint_id = text_of(endpoint, "vpcEndpointId")
        made = self._made.get(endpoint_id)
        if made is None:
            return
        state = endpoint.find(tagged("state"))
        if state is not None:
            state.text = "pending" if self._clock() - made.at < PENDING else "available"
        add(endpoint, "privateDnsEnabled", "false")
        groups = child(endpoint, "groupSet")
        for group in made.groups:
            add(child(groups, "item"), "groupId", group)
        entries = child(endpoint, "dnsEntrySet")
        for name in dns_names(endpoint_id, made.service, made.region, made.zones):
            entry = child(entries, "item")
            add(entry, "dnsName", name)
            add(entry, "hostedZoneId", "Z7HUB22UULQXV")


def dns_names(endpoint_id: str, service: str, region: str, zones: tuple[str, ...]) -> list[str]:
    """The names of an interface endpoint: the regional one first, then one for each zone."""
    label = f"{endpoint_id}-{_digest(endpoint_id, 8)}"
    domain = f"{service.removeprefix(f'com.amazonaws.{region}.')}.{region}.vpce.amazonaws.com"
    return [f"{label}.{domain}", *(f"{label}-{zone}.{domain}" for zone in zones)]


def _smtp_service(request: Request) -> str:
    return f"com.amazonaws.{request.caller.region}.email-smtp"


def _filters(request: Request) -> dict[str, list[str]]:
    names = {name: value for name, value in request.form.items() if name.startswith("Filter.") and ".Name" in name}
    return {value: request.members(name.replace(".Name", ".Value")) for name, value in names.items()}


def _matches(endpoint: Element, name: str, values: list[str]) -> bool:
    if name.startswith("tag:"):
        tags = {text_of(tag, "key"): text_of(tag, "value") for tag in items(endpoint, "tagSet")}
        return tags.get(name.removeprefix("tag:")) in values
    return name not in _FILTERED or text_of(endpoint, _FILTERED[name]) in values


def _call(request: Request, parameters: dict[str, str]) -> Request:
    return request.with_form(QueryParams({"Version": "2016-11-15", **parameters}))


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]
