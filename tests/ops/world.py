"""A stack in moto with one instance, one binding and one webhook, and its operator."""

import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from typer.testing import CliRunner, Result

from lambdas.aws import clients
from lambdas.aws.dynamodb.attribute_values import from_item, to_item
from lambdas.aws.dynamodb.broker.broker_table import BrokerTable
from lambdas.aws.dynamodb.webhooks.webhook_table import instance_key, webhook_key
from lambdas.broker.settings import BrokerSettings
from lambdas.domain.tenants.instance import (
    Binding,
    BindingState,
    BindRequest,
    Instance,
    InstanceState,
    Operation,
    OperationKind,
    OperationState,
    SesParameters,
)
from lambdas.domain.webhooks.delivery import Delivery, DeliveryBatch
from lambdas.domain.webhooks.webhook import NotificationFormat, WebhookId
from ops.__main__ import app
from ops.deployment.stack import Stack, StackMissing
from ops.troubleshooting.dead_letters import HOME
from tests.aws.tables import create_backlog, dynamodb_with
from tests.iam.operators import recording

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_sqs import SQSClient

NOW = datetime.now(UTC)
WEBHOOK = WebhookId("w1")


@dataclass
class Ops:
    """A stack in moto, and its operator."""

    dynamodb: "DynamoDBClient"
    sqs: "SQSClient"
    queues: dict[str, str]
    calls: Path | None = None  # where the AWS calls of commands are recorded

    def typed(self, words: Sequence[str]) -> Result:
        """What came of a command."""
        clients.CLIENTS.forget()
        environment = recording(str(self.calls), words) if self.calls else {}
        return CliRunner(env=environment).invoke(app, list(words))

    def run(self, *words: str, ok: bool = True) -> Any:
        """What a command says, as JSON; its error if it is not to succeed."""
        done = self.typed([*words, "--json"])
        assert (done.exit_code == 0) is ok, done.output
        return json.loads(done.stdout) if ok else done.stderr

    def say(self, *words: str, status: int = 0) -> str:
        """What a command writes for people, to a pipe; with another *status*, what it writes to standard error."""
        done = self.typed(words)
        assert done.exit_code == status, done.output
        return done.stdout if status == 0 else done.stderr

    def put_instance(
        self,
        id_: str,
        *,
        name: str,
        domain: str,
        space: str = "prod",
        notifications: bool = True,
        claimed: bool = True,
    ) -> None:
        """Write an instance as the broker does."""
        tags = {"instance-name": name, "organization-name": "agency", "space-name": space}
        operation = Operation(
            id="o1",
            kind=OperationKind.PROVISION,
            started_at=NOW,
            touched_at=NOW,
            state=OperationState.SUCCEEDED,
            description="Created.",
        )
        instance = Instance(
            id=id_,
            service_id="s",
            plan_id="p",
            organization_guid="o-guid",
            space_guid="s-guid",
            state=InstanceState.READY,
            operation=operation,
            tags={f"ses-feedback:{key}": value for key, value in tags.items()},
            ses=SesParameters(admin_email=f"admin@{domain}"),
            domain=domain,
            claimed=claimed,
            bindings=("b1",),
        )
        BrokerTable(self.dynamodb, "broker").save_instance(instance)
        self.set_notifications(id_, on=notifications)

    def set_notifications(self, instance_id: str = "i1", *, on: bool) -> None:
        """Switch an instance's notifications."""
        item = {**instance_key(instance_id), "notifications": on}
        self.dynamodb.put_item(TableName="webhooks", Item=to_item(item))

    def put_webhook(self, **more: object) -> None:
        """Write the webhook as the broker does."""
        item = {**webhook_key("i1", WEBHOOK), "url": "https://h.example/x", "format": "standard-webhooks", "version": 1}
        self.dynamodb.put_item(TableName="webhooks", Item=to_item({**item, "events": ["bounce"], **more}))

    def health(self) -> dict[str, Any]:
        """The webhook's health as recorded."""
        key = to_item(webhook_key("i1", WEBHOOK))
        return dict(from_item(self.dynamodb.get_item(TableName="webhooks", Key=key)["Item"]).get("health", {}))

    def queued(self, name: str = "deliveries") -> list[str]:
        """The bodies in a queue."""
        messages = self.sqs.receive_message(QueueUrl=self.queues[name], MaxNumberOfMessages=10).get("Messages", [])
        return [message["Body"] for message in messages]


@contextmanager
def stack_in_moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ops]:
    """A stack with one healthy webhook of one binding."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    clients.CLIENTS.forget()
    with dynamodb_with("webhooks", "reputation") as dynamodb:
        create_backlog(dynamodb, "backlog")
        create_backlog(dynamodb, "broker")
        sqs = boto3.client("sqs", region_name="us-east-1")
        queues = {
            name: sqs.create_queue(QueueName=name)["QueueUrl"]
            for name in {*HOME, "events", "deliveries", "operations", "replays"}
        }
        for module in ("deployment.tools", "deployment.limits", "deployment.destroy_check", "restore.command"):
            monkeypatch.setattr(f"ops.{module}.find", lambda name: stack_of(name, queues))
        stack = Ops(dynamodb, sqs, queues)
        stack.put_instance("i1", name="my-mail", domain="mail.agency.gov")
        stack.put_webhook()
        _bind(dynamodb)
        yield stack
    clients.CLIENTS.forget()


def stack_of(name: str, queues: dict[str, str]) -> Stack:
    """The stack as its outputs tell of it."""
    if name != "ses-feedback":
        raise StackMissing(f"stack {name} in us-east-1: there is none")
    return Stack(
        name=name,
        region="us-east-1",
        outputs={
            "EventTopicArn": "arn:aws:sns:us-east-1:123456789012:events",
            "KeyArn": "arn:aws:kms:us-east-1:123456789012:key/k",
        },
        tables={name: name for name in ("webhooks", "backlog", "broker", "reputation")},
        queues=queues,
        functions={"broker": "broker"},
    )


def deploy_broker(settings: BrokerSettings) -> None:
    """Have the broker's function in moto, of which operators' commands read the settings."""
    trust = json.dumps({"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}]})
    role = boto3.client("iam").create_role(RoleName="broker", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as bundle:
        bundle.writestr("handler.py", "")
    boto3.client("lambda").create_function(
        FunctionName="broker",
        Runtime="python3.13",
        Role=role,
        Handler="handler.handler",
        Code={"ZipFile": code.getvalue()},
        Environment={"Variables": settings.to_environment()},
    )


def _bind(dynamodb: "DynamoDBClient") -> None:
    request = BindRequest(service_id="s", plan_id="p", notification_email="ops@shop.example")
    BrokerTable(dynamodb, "broker").save_binding(
        Binding(
            id="b1",
            instance_id="i1",
            state=BindingState.READY,
            request=request,
            effective=request,
            created_at=NOW,
            webhook_id=WEBHOOK,
            email_webhook_id="email-b1",
        )
    )


def batch(*ids: str, created_at: datetime = NOW) -> DeliveryBatch:
    """Deliveries for the webhook."""
    deliveries = tuple(
        Delivery(
            id=id_,
            type="email.bounced",
            timestamp=NOW,
            created_at=created_at,
            format=NotificationFormat.STANDARD_WEBHOOKS,
            body=f'"{id_}"',
            headers={},
        )
        for id_ in ids
    )
    return DeliveryBatch(instance_id="i1", webhook_id=WEBHOOK, attempt=3, deliveries=deliveries)


def failing(**more: object) -> dict[str, object]:
    """A failing webhook's record."""
    attempt = {
        "delivery": "msg_1",
        "type": "email.bounced",
        "at": NOW.isoformat(),
        "reason": "503",
        "excerpt": "[busy]",
    }
    record = {"state": "failing", "since": NOW.isoformat(), "failures": 3, "last_reason": "503", "webhook_version": 1}
    return {**record, "record": 4, "attempts": [{**attempt, "excerpt": "[busy]"}], **more}
