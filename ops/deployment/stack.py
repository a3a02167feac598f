"""Where the stack's things are, by its CloudFormation outputs.

Credentials, region and endpoint come from the environment, as for any AWS tool.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from lambdas.aws.clients import session

DEFAULT_NAME = "ses-feedback"
NO_REGION = "no region: set AWS_REGION, or AWS_PROFILE to a profile with a region"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


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

    @property
    def broker_url(self) -> str:
        """Where the broker answers. An embedded AWS serves its APIs under its own endpoint, not in AWS's domain."""
        endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
        if urlsplit(endpoint).hostname in _LOOPBACK:
            return f"{endpoint}/_aws/execute-api/{self.outputs['BrokerApiId']}/$default"
        return self.outputs["BrokerUrl"]


def find(name: str = DEFAULT_NAME) -> Stack:
    """The stack's outputs. Raises StackMissing, naming the region that was looked in."""
    region = session().get_config_variable("region") or ""
    if not region:
        raise StackMissing(NO_REGION)
    cloudformation: Any = session().create_client("cloudformation")
    try:
        (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
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
