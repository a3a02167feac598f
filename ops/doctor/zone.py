"""Checks of the operator's DNS zone: rights on it, and whether the world finds it."""

from collections.abc import Iterable
from typing import Any

import boto3
import dns.exception
import dns.resolver
from botocore.exceptions import ClientError

from ops.doctor.account import Account, code_of
from ops.doctor.findings import Finding, ok, problem, warning

LOOKUP_SECONDS = 5.0


def zone(account: Account) -> Iterable[Finding]:
    """Whether the zone can be read with its credentials, and is delegated to Route 53's name servers."""
    name, zone_id = account.setting("OPERATOR_ZONE", "zone_name"), account.setting("OPERATOR_ZONE_ID", "zone_id")
    if not zone_id:
        yield ok("zone", "no zone: tenants bring their own domains")
        return
    try:
        found = _route53(account).get_hosted_zone(Id=zone_id)
    except ClientError as error:
        yield problem("zone", f"{zone_id} cannot be read: {code_of(error)}", "check zone_id and the zone's credentials")
        return
    actual = found["HostedZone"]["Name"].rstrip(".")
    if actual != name:
        yield problem("zone", f"{zone_id} is {actual}, not {name}", "correct zone_name or zone_id and deploy again")
        return
    yield ok("zone", f"{name} is {zone_id} and can be read")
    if servers := found.get("DelegationSet", {}).get("NameServers"):
        yield _delegation(name, {server.rstrip(".").lower() for server in servers})


def _route53(account: Account) -> Any:
    arn = account.setting("ZONE_CREDENTIALS_SECRET_ARN", "zone_credentials_secret_arn")
    if not arn:
        return account.client("route53")
    content = account.secret(arn)
    return boto3.client(
        "route53",
        aws_access_key_id=content["aws_access_key_id"],
        aws_secret_access_key=content["aws_secret_access_key"],
        region_name=content.get("region", "us-east-1"),
    )


def _delegation(name: str, expected: set[str]) -> Finding:
    """Compare the zone's name servers with those that the world is given for the name."""
    try:
        answer = dns.resolver.resolve(name, "NS", lifetime=LOOKUP_SECONDS)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        remedy = f"make an NS record for {name} in its parent zone with {', '.join(sorted(expected))}"
        return problem("delegation", f"the world finds no name servers for {name}", remedy)
    except dns.exception.DNSException as error:
        return warning("delegation", f"{name} could not be looked up: {error}", "run it from a machine with public DNS")
    found = {str(record.target).rstrip(".").lower() for record in answer}
    if found == expected:
        return ok("delegation", f"the world finds {name} at the zone's name servers")
    return problem(
        "delegation",
        f"the world is sent to {', '.join(sorted(found))}",
        f"correct the NS record of {name} in its parent zone: {', '.join(sorted(expected))}",
    )
