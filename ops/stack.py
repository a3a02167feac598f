"""Where the stack's things are, by its CloudFormation outputs. Credentials, region and endpoint are boto3's affair."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.exceptions import ClientError

DEFAULT_NAME = "ses-feedback"


class StackMissing(Exception):
    """There is no such stack where the credentials lead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A deployed stack: `tables`, `queues` (URLs) and `functions` by their logical names, all outputs by theirs."""

    name: str
    region: str
    outputs: Mapping[str, str] = field(repr=False)
    tables: Mapping[str, str]
    queues: Mapping[str, str]
    functions: Mapping[str, str]

    @property
    def arn_prefix(self) -> str:
        """What the ARN of a topic of this account and region begins with."""
        return self.outputs["EventTopicArn"].rpartition(":")[0] + ":"


def find(name: str = DEFAULT_NAME) -> Stack:
    """The stack's outputs. Raises StackMissing, naming the region that was looked in."""
    session = boto3.session.Session()
    region = session.region_name or ""
    if not region:
        raise StackMissing("no region: set AWS_REGION or a profile with one")
    try:
        (stack,) = session.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        raise StackMissing(f"stack {name} in {region}: {error.response['Error']['Message']}") from error
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    try:
        maps: dict[str, Any] = {part: json.loads(outputs[part]) for part in ("Tables", "Queues", "Functions")}
    except KeyError as missing:
        raise StackMissing(f"stack {name} in {region} has no output {missing}") from None
    return Stack(
        name=name,
        region=region,
        outputs=outputs,
        tables=maps["Tables"],
        queues=maps["Queues"],
        functions=maps["Functions"],
    )
