"""The AWS account and the stack that the doctor looks at. Everything here reads and changes nothing."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from ops.deployment.stack import Stack

_CONFIG = Config(retries={"mode": "adaptive", "total_max_attempts": 6}, connect_timeout=5, read_timeout=20)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Account:
    """Clients for the account that the credentials lead to. `stack` is None before a deployment.

    `context` holds the context keys of cdk.json and the command line that are set, as the deployment would get them.
    """

    stack: Stack | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    sample: int = 5  # instances that are compared with SES, which takes about one call a second
    now: Callable[[], datetime] = _now

    @cached_property
    def session(self) -> boto3.session.Session:
        """The credentials' session."""
        return boto3.session.Session()

    @property
    def region(self) -> str:
        """The region, empty if none is set."""
        return self.session.region_name or ""

    @property
    def deployed(self) -> Stack:
        """The stack. TypeError before a deployment: no check for then asks for it."""
        if self.stack is None:
            raise TypeError("there is no stack before a deployment")
        return self.stack

    def client(self, service: str) -> Any:
        """A client that waits when AWS throttles."""
        session: Any = self.session
        return session.client(service, config=_CONFIG)

    def pages(self, service: str, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
        """The entries under *key* of all pages of a list operation."""
        for page in self.client(service).get_paginator(operation).paginate(**arguments):
            yield from page.get(key, [])

    @cached_property
    def environment(self) -> Mapping[str, str]:
        """The broker function's environment: the settings that the stack was deployed with. It holds no secret."""
        if self.stack is None:
            return {}
        function = self.client("lambda").get_function_configuration(FunctionName=self.stack.functions["broker"])
        found: Mapping[str, str] = function.get("Environment", {}).get("Variables", {})
        return found

    def setting(self, environment: str, key: str) -> str:
        """A setting of the deployed stack by its variable, or of the context by its key before a deployment."""
        return self.environment.get(environment, "") if self.stack else str(self.context.get(key, ""))

    def secret(self, arn: str) -> dict[str, str]:
        """A secret's content, read to be used and never shown."""
        found: dict[str, str] = json.loads(self.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"])
        return found


def code_of(error: ClientError) -> str:
    """The error code of AWS's answer."""
    code: str = error.response["Error"]["Code"]
    return code
