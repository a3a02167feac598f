"""An account whose answers are written down: operation by operation, as AWS documents them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from ops.deployment.stack import Stack
from ops.doctor.account import Account

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
STACK = Stack(
    name="ses-feedback",
    region="us-gov-west-1",
    outputs={
        "KeyArn": "arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/k",
        "BrokerCredentialsSecretArn": "arn:aws-us-gov:secretsmanager:us-gov-west-1:111122223333:secret:s",
        "OperatorTopicArn": "arn:aws-us-gov:sns:us-gov-west-1:111122223333:ses-feedback-OperatorTopic",
        "EventTopicArn": "arn:aws-us-gov:sns:us-gov-west-1:111122223333:ses-feedback-EventsTopic",
    },
    tables={},
    queues={"deliveries": "https://q/deliveries", "deliveries_dlq": "https://q/deliveries-dlq"},
    functions={"broker": "ses-feedback-Broker"},
)


def refused(code: str, operation: str = "Call") -> ClientError:
    """An error answer of AWS."""
    return ClientError({"Error": {"Code": code, "Message": f"{code} message"}}, operation)


@dataclass(frozen=True)
class Client:
    """A client that answers each operation with what is written down for it; a list answers call by call."""

    answers: Mapping[str, Any]

    def __getattr__(self, operation: str) -> Any:
        answer = self.answers[operation]

        def call(**_: Any) -> Any:
            found = answer.pop(0) if isinstance(answer, list) else answer
            if isinstance(found, Exception):
                raise found
            return found

        return call


@dataclass(frozen=True, kw_only=True)
class FakeAccount(Account):
    """An account with written answers, and NOON as the time."""

    stack: Stack | None = STACK
    now: Any = lambda: NOON
    answers: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def region(self) -> str:
        return "us-gov-west-1"

    @property
    def environment(self) -> Mapping[str, str]:
        return self.variables

    def client(self, service: str) -> Any:
        answers: Any = self.answers[service]
        return Client(answers) if isinstance(answers, dict) else answers  # else a client of its own

    def pages(self, service: str, operation: str, key: str, **_: Any) -> Iterator[Any]:
        found = self.answers[service][operation]
        if isinstance(found, Exception):
            raise found
        yield from found[key]
