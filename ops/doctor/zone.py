"""Checks of the operator's DNS zone: rights on it, and whether the world finds it."""

from collections.abc import Iterable
from typing import Any

import dns.exception
import dns.resolver
import msgspec
from botocore.exceptions import ClientError

from lambdas.aws.route53.zone_client import zone_client
from ops.doctor.account import Account, code_of
from ops.doctor.findings import Finding, ok, problem, warning

LOOKUP_SECONDS = 5.0
_DENIED = ("AccessDenied", "AccessDeniedException")


def zone(account: Account) -> Iterable[Finding]:
    """Whether the zone can be read and changed with its credentials, and the world finds it at its name servers."""
    name, zone_id = account.setting("OPERATOR_ZONE", "zone_name"), account.setting("OPERATOR_ZONE_ID", "zone_id")
    if not zone_id:
        yield ok("zone", "no zone: tenants bring their own domains")
        return
    arn = account.setting("ZONE_CREDENTIALS_SECRET_ARN", "zone_credentials_secret_arn")
    try:
        route53 = zone_client(account.client("secretsmanager"), arn) if arn else account.client("route53")
    except msgspec.DecodeError as error:
        remedy = 'its content must be {"aws_access_key_id", "aws_secret_access_key", "region"}: docs/operators.md'
        yield problem("zone", f"the secret with the zone's credentials cannot be used: {error}", remedy)
        return
    yield from _readable(route53, name, zone_id)
    if arn:
        yield _changeable(route53, name, zone_id)


def _readable(route53: Any, name: str, zone_id: str) -> Iterable[Finding]:
    try:
        found = route53.get_hosted_zone(Id=zone_id)
    except ClientError as error:
        if code_of(error) in _DENIED:
            yield warning("zone", f"{zone_id} cannot be read: {code_of(error)}", "allow route53:GetHostedZone on it")
        else:
            remedy = "check zone_id and the zone's credentials"
            yield problem("zone", f"{zone_id} cannot be read: {code_of(error)}", remedy)
        return
    actual = found["HostedZone"]["Name"].rstrip(".")
    if actual != name:
        yield problem("zone", f"{zone_id} is {actual}, not {name}", "correct zone_name or zone_id and deploy again")
        return
    yield ok("zone", f"{name} is {zone_id} and can be read")
    if servers := found.get("DelegationSet", {}).get("NameServers"):
        yield _delegation(name, {server.rstrip(".").lower() for server in servers})


def _changeable(route53: Any, name: str, zone_id: str) -> Finding:
    """Whether the secret's credentials may change records, which the functions' own role cannot show.

    Deletes a record that does not exist. Route 53 refuses that with InvalidChangeBatch and changes nothing, but only
    after it has checked the right; without the right it answers AccessDenied.
    """
    record = {
        "Name": f"_ses-feedback-doctor.{name}",
        "Type": "TXT",
        "TTL": 300,
        "ResourceRecords": [{"Value": '"there is no such record"'}],
    }
    batch = {"Changes": [{"Action": "DELETE", "ResourceRecordSet": record}]}
    try:
        route53.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch=batch)
    except ClientError as error:
        if code_of(error) != "InvalidChangeBatch":
            remedy = f"allow the secret's user route53:ChangeResourceRecordSets on {zone_id}, or renew its key"
            return problem("zone rights", f"records of {zone_id} cannot be changed: {code_of(error)}", remedy)
    return ok("zone rights", f"the secret's credentials may change records of {zone_id}")


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
