"""`ops destroy-check`: what `cdk destroy` would leave behind, and what would stop it. Reads only."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import typer

from lambdas.aws.dynamodb.broker.broker_table import BrokerTable
from lambdas.aws.route53.zone_client import zone_client
from lambdas.domain.tenants.aws_names import ALERT_TOPICS, INSTANCE_TAG, NOTIFICATION_TOPICS, binding_of, instance_of
from lambdas.domain.tenants.instance import Instance
from ops.command_line.console import STACK, Json, StackName, clear_errors, show
from ops.deployment.stack import find
from ops.doctor.account import Account

RETAINED = ("Retain", "RetainExceptOnCreate")  # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/
SHOWN = 3  # names of a kind in the table; JSON has all
DELETE_INSTANCES = "delete the service instances through the platform (cf delete-service)"
_KINDS = {
    "AWS::DynamoDB::Table": "tables",
    "AWS::KMS::Key": "KMS key",
    "AWS::Logs::LogGroup": "log groups",
    "AWS::S3::Bucket": "buckets",
    "AWS::SQS::Queue": "queues",
    "AWS::SecretsManager::Secret": "secrets",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphans:
    """Resources of one kind. `effect`: `stays` after a destroy, or `blocks` it. `remedy` is what to do first."""

    kind: str
    names: tuple[str, ...]
    effect: str
    remedy: str


def destroy_check(stack: StackName = STACK, as_json: Json = False) -> None:
    """Show what `cdk destroy` would leave behind or fail on; change nothing. Status 1 if there is anything."""
    with clear_errors():
        account = Account(stack=find(stack))
        found = [orphans for look in LOOKS for orphans in look(account) if orphans.names]
    rows = [_row(orphans, whole=as_json) for orphans in found]
    show(rows, title="Left behind by `cdk destroy`", empty="Nothing would be left behind.", as_json=as_json)
    raise typer.Exit(1 if found else 0)


def instances(account: Account) -> Iterator[Orphans]:
    """The service instances, and the records of generated domains in the operator's zone."""
    known = _instances(account)
    yield _stays("service instances", (one.id for one in known), DELETE_INSTANCES)
    domains = {one.domain for one in known if one.claimed}
    identities = (name for name in _ses_names(account, "list_email_identities", "EmailIdentities", "IdentityName"))
    yield _stays("SES identities", (name for name in identities if name in domains), DELETE_INSTANCES)
    yield _stays("DNS records", _records(account, {one.domain for one in known if one.generated}), DELETE_INSTANCES)


def made_for_tenants(account: Account) -> Iterator[Orphans]:
    """What the broker made for instances and bindings, found by its names and tags, recorded or not."""
    users = (user["UserName"] for user in account.pages("iam", "list_users", "Users", PathPrefix="/cf/"))
    ours = [name for name in users if binding_of(name) is not None]
    remedy = f"{DELETE_INSTANCES}; delete what is left with its access keys and policy"
    yield _stays("IAM users", ours, remedy)
    sets = _ses_names(account, "list_configuration_sets", "ConfigurationSets", None)
    remedy = f"{DELETE_INSTANCES}; delete what is left: they name the event topic, and publish nowhere without it"
    yield _stays("configuration sets", (name for name in sets if instance_of(name) is not None), remedy)
    yield _stays("SNS topics", _topics(account), DELETE_INSTANCES)
    tagged = [{"Name": "tag-key", "Values": [INSTANCE_TAG]}]
    endpoints = account.pages("ec2", "describe_vpc_endpoints", "VpcEndpoints", Filters=tagged)
    yield _stays("interface endpoints", (one["VpcEndpointId"] for one in endpoints), DELETE_INSTANCES)
    groups = account.pages("ec2", "describe_security_groups", "SecurityGroups", Filters=tagged)
    yield _stays("security groups", (one["GroupId"] for one in groups), DELETE_INSTANCES)


def blocking(account: Account) -> Iterator[Orphans]:
    """What makes the destroy fail: the protection of the stack, and a boundary that users still have."""
    cloudformation, name = account.client("cloudformation"), account.deployed.name
    (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    protected = [name] if stack.get("EnableTerminationProtection") else []
    yield _blocks("protected stack", protected, "deploy with protect=false first")
    policies = [one["PhysicalResourceId"] for one in _resources(account) if one["Type"] == "AWS::IAM::ManagedPolicy"]
    bounded = [arn for arn in policies if _is_boundary(account, arn)]
    yield _blocks("permissions boundary in use", bounded, f"{DELETE_INSTANCES}: bindings' IAM users have it")


def retained(account: Account) -> Iterator[Orphans]:
    """The stack's own resources that CloudFormation keeps."""
    kept: dict[str, list[str]] = {}
    for resource in _resources(account):
        if resource["DeletionPolicy"] in RETAINED:
            kept.setdefault(resource["Type"], []).append(resource["PhysicalResourceId"])
    for kind, names in kept.items():
        remedy = "keep it until nothing that it encrypted is needed" if kind == "AWS::KMS::Key" else "delete by hand"
        yield _stays(f"retained {_KINDS.get(kind, kind)}", names, remedy)


LOOKS: tuple[Callable[[Account], Iterable[Orphans]], ...] = (blocking, instances, made_for_tenants, retained)


def _row(orphans: Orphans, *, whole: bool) -> dict[str, Any]:
    names = list(orphans.names)
    more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return {
        "what": orphans.kind,
        "count": len(names),
        "effect": orphans.effect,
        "names": names if whole else ", ".join(names[:SHOWN]) + more,
        "remedy": orphans.remedy,
    }


def _stays(kind: str, names: Iterable[str], remedy: str) -> Orphans:
    return Orphans(kind=kind, names=tuple(sorted(names)), effect="stays", remedy=remedy)


def _blocks(kind: str, names: Iterable[str], remedy: str) -> Orphans:
    return Orphans(kind=kind, names=tuple(sorted(names)), effect="blocks", remedy=remedy)


def _instances(account: Account) -> list[Instance]:
    return list(BrokerTable(account.client("dynamodb"), account.deployed.tables["broker"]).instances())


def _ses_names(account: Account, operation: str, key: str, name: str | None) -> Iterator[str]:
    """The names on all pages of one of SES's lists, for which botocore has no paginator."""
    call, token = getattr(account.client("sesv2"), operation), dict[str, str]()
    while True:
        page = call(PageSize=1000, **token)
        yield from (entry[name] if name else entry for entry in page.get(key, []))
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}


def _topics(account: Account) -> Iterator[str]:
    """Topics of instances and bindings; the stack's own have names of CloudFormation's."""
    own = {one["PhysicalResourceId"] for one in _resources(account) if one["Type"] == "AWS::SNS::Topic"}
    for topic in account.pages("sns", "list_topics", "Topics"):
        name = topic["TopicArn"].rpartition(":")[2]
        if topic["TopicArn"] not in own and any(fnmatchcase(name, one) for one in (ALERT_TOPICS, NOTIFICATION_TOPICS)):
            yield name


def _records(account: Account, domains: set[str]) -> Iterator[str]:
    zone_id = account.setting("OPERATOR_ZONE_ID", "zone_id")
    if not zone_id or not domains:
        return
    arn = account.setting("ZONE_CREDENTIALS_SECRET_ARN", "zone_credentials_secret_arn")
    route53 = zone_client(account.client("secretsmanager"), arn) if arn else account.client("route53")
    pages = route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone_id)
    for record in (record for page in pages for record in page["ResourceRecordSets"]):
        name = record["Name"].rstrip(".")
        if any(name == domain or name.endswith(f".{domain}") for domain in domains):
            yield f"{name} {record['Type']}"


def _resources(account: Account) -> list[dict[str, str]]:
    """The stack's resources with their type, physical id and deletion policy."""
    cloudformation, name = account.client("cloudformation"), account.deployed.name
    body = cloudformation.get_template(StackName=name)["TemplateBody"]
    template: dict[str, Any] = json.loads(body) if isinstance(body, str) else body
    ids = {
        one["LogicalResourceId"]: one.get("PhysicalResourceId", "")
        for one in account.pages("cloudformation", "list_stack_resources", "StackResourceSummaries", StackName=name)
    }
    return [
        {
            "Type": resource["Type"],
            "PhysicalResourceId": ids.get(logical_id, logical_id),
            "DeletionPolicy": resource.get("DeletionPolicy", "Delete"),
        }
        for logical_id, resource in template["Resources"].items()
    ]


def _is_boundary(account: Account, arn: str) -> bool:
    """Whether a user or role has the policy as its permissions boundary. IAM refuses to delete it then."""
    arguments = {"PolicyArn": arn, "PolicyUsageFilter": "PermissionsBoundary"}
    return any(True for _ in account.pages("iam", "list_entities_for_policy", "PolicyUsers", **arguments))
