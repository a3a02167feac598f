"""`python -m ops rights`: which IAM actions operators' commands need, as a table or as a policy to attach to a role.

The list is `rights.json` beside this file: commands with the actions that tests/journey recorded when it ran them on a
deployed stack, and what encryption with the stack's key adds. A command that calls AWS and is not in it fails a test.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ops.command_line.console import STACK, Json, StackName, clear_errors, fail, show
from ops.deployment.stack import Stack, find

FILE = Path(__file__).with_name("rights.json")
ADMINISTRATORS = {
    "accept": "it deploys a receiver with a role of its own",
    "drill": "it makes and removes instances, queues and subscriptions",
    "restore": "it makes a table, which DynamoDB fills with the caller's rights, and removes it",
}  # commands that are run as an administrator, and why
_ANYWHERE = ["*"]


def written() -> dict[str, list[str]]:
    """Commands, such as `webhooks rotate`, with their IAM actions, both sorted."""
    return {command: list(actions) for command, actions in json.loads(FILE.read_text()).items()}


def rights(
    commands: Annotated[
        list[str] | None, typer.Argument(help="Commands such as trace, webhooks or 'webhooks list'; all if none.")
    ] = None,
    policy: Annotated[bool, typer.Option("--policy", help="Write an IAM policy for the deployed stack.")] = False,
    stack: StackName = STACK,
    as_json: Json = False,
) -> None:
    """Show the IAM actions that commands need, or write the policy that allows them on one stack and nothing else."""
    chosen = _chosen(commands or [])
    if policy:
        with clear_errors():
            typer.echo(json.dumps(document(chosen, find(stack)), indent=2))
        return
    rows = [{"command": command, "action": action} for command in chosen for action in chosen[command]]
    show(rows, title="IAM actions", empty="These commands call no AWS API.", as_json=as_json)


def document(chosen: Mapping[str, Iterable[str]], stack: Stack) -> dict[str, Any]:
    """An IAM policy that allows the actions of *chosen* on what *stack* owns, where IAM can tell it from the rest."""
    by_resources: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for action in {action for actions in chosen.values() for action in actions}:
        by_resources[tuple(resources(action, stack))].add(action)
    statements = [
        {"Effect": "Allow", "Action": sorted(actions), "Resource": list(on)} for on, actions in by_resources.items()
    ]
    return {"Version": "2012-10-17", "Statement": sorted(statements, key=lambda one: one["Action"])}


def resources(action: str, stack: Stack) -> list[str]:
    """The ARNs that *action* is allowed on. `*` where IAM cannot tell ours from others."""
    _, partition, _, region, account, _ = stack.outputs["EventTopicArn"].split(":")
    here = f"{region}:{account}"
    match action.partition(":")[0], action.partition(":")[2]:
        case "dynamodb", "ListTables":
            return _ANYWHERE
        case "dynamodb", operation:
            tables = [f"arn:{partition}:dynamodb:{here}:table/{name}" for name in sorted(stack.tables.values())]
            return [*tables, *(f"{table}/index/*" for table in tables if operation in ("Query", "Scan"))]
        case "sqs", _:
            return sorted(f"arn:{partition}:sqs:{here}:{url.rpartition('/')[2]}" for url in stack.queues.values())
        case "kms", "Decrypt" | "DescribeKey" | "Encrypt" | "GenerateDataKey" | "GetKeyRotationStatus":
            return [stack.outputs["KeyArn"]]
        case "secretsmanager", "GetSecretValue" | "PutSecretValue" | "DescribeSecret" | "UpdateSecretVersionStage":
            return [stack.outputs["BrokerCredentialsSecretArn"]]
        case "lambda", "InvokeFunction" | "GetFunctionConfiguration":
            return sorted(f"arn:{partition}:lambda:{here}:function:{name}" for name in stack.functions.values())
        case "cloudformation", "DescribeStacks" | "DescribeStackResources" | "GetTemplate" | "ListStackResources":
            return [f"arn:{partition}:cloudformation:{here}:stack/{stack.name}/*"]
        case "sns", "Publish" | "Subscribe" | "ListSubscriptionsByTopic" | "GetTopicAttributes":
            tenants = [f"arn:{partition}:sns:{here}:ses-feedback-*-{kind}" for kind in ("alerts", "notifications")]
            return [*tenants, stack.outputs["OperatorTopicArn"]]
        case "logs", "FilterLogEvents":
            groups = f"arn:{partition}:logs:{here}:log-group:{stack.name}-*"  # CloudFormation names them so
            return [groups, f"{groups}:*"]
        case "ses", "PutConfigurationSetSendingOptions":
            return [f"arn:{partition}:ses:{here}:configuration-set/ses-feedback-*"]
    return _ANYWHERE


def _chosen(asked: list[str]) -> dict[str, list[str]]:
    """The commands that *asked* names, whole groups included; ends the command at a name that is none."""
    known = written()
    if not asked:
        return known
    found: dict[str, list[str]] = {}
    for name in asked:
        below = dict(_below(name, known))
        if not below and name in ADMINISTRATORS:
            fail(f"run {name} as an administrator: {ADMINISTRATORS[name]}")
        if not below:
            fail(f"there is no command {name} that calls AWS; known: {', '.join(known)}")
        found |= below
    return found


def _below(name: str, known: Mapping[str, list[str]]) -> Iterator[tuple[str, list[str]]]:
    return (entry for entry in known.items() if entry[0] == name or entry[0].startswith(f"{name} "))
