"""The adapters that operators' commands work with, over one stack."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from lambdas.aws.clients import client
from lambdas.aws.dynamodb.backlog.archive import Archive
from lambdas.aws.dynamodb.backlog.backlog import Backlog
from lambdas.aws.dynamodb.broker.broker_table import BrokerTable
from lambdas.aws.dynamodb.confirmation_mails import ConfirmationMails
from lambdas.aws.dynamodb.webhooks.instance_list import InstanceList
from lambdas.aws.dynamodb.webhooks.webhook_states import WebhookStates
from lambdas.aws.sns.topics import Topics
from lambdas.aws.sqs.delivery_queue import DeliveryQueue
from lambdas.broker.settings import BrokerSettings
from lambdas.domain.webhooks.target import Target
from lambdas.domain.webhooks.webhook import EventKind, Scope, Webhook
from ops.command_line.console import fail, note
from ops.deployment.stack import Stack, find
from ops.tenants.directory import Directory, Named, UnknownInstance


@dataclass(frozen=True)
class Tools:
    """What a command needs of a stack."""

    stack: Stack

    @cached_property
    def states(self) -> WebhookStates:
        """Webhooks and their health."""
        return WebhookStates(client("dynamodb"), self.stack.tables["webhooks"])

    @cached_property
    def backlog(self) -> Backlog:
        """What waits."""
        return Backlog(client("dynamodb"), self.stack.tables["backlog"])

    @cached_property
    def archive(self) -> Archive:
        """What was delivered."""
        return Archive(client("dynamodb"), self.stack.tables["backlog"])

    @cached_property
    def broker(self) -> BrokerTable:
        """Instances and bindings."""
        return BrokerTable(client("dynamodb"), self.stack.tables["broker"])

    @cached_property
    def directory(self) -> Directory:
        """Instances by the names that people know."""
        return Directory(self.broker, say=note)

    @cached_property
    def instances(self) -> InstanceList:
        """Which instances the pipeline knows, and whether their notifications are on."""
        return InstanceList(client("dynamodb"), self.stack.tables["webhooks"])

    @cached_property
    def queue(self) -> DeliveryQueue:
        """The deliveries queue."""
        return DeliveryQueue(client("sqs"), self.stack.queues["deliveries"])

    @cached_property
    def topics(self) -> Topics:
        """Topics that tell people by e-mail."""
        return Topics(
            client("sns"),
            key_arn=self.stack.outputs["KeyArn"],
            arn_prefix=self.stack.arn_prefix,
            may_mail=lambda email, organization: self.confirmation_mails.take(email, organization),
        )

    @cached_property
    def confirmation_mails(self) -> ConfirmationMails:
        """The daily limit of confirmation mails to one address, as the broker was deployed with it."""
        answer = client("lambda").get_function_configuration(FunctionName=self.stack.functions["broker"])
        limit = BrokerSettings.from_environment(answer["Environment"]["Variables"]).confirmation_mails_per_day
        return ConfirmationMails(
            client("dynamodb"), self.stack.tables["broker"], limit=limit, clock=lambda: datetime.now(UTC)
        )

    def instance(self, text: str) -> Named:
        """The instance of that id, name or domain; ends the command when there is none or more than one."""
        try:
            return self.directory.find(text)
        except UnknownInstance as unknown:
            fail(str(unknown))

    def webhook(self, webhook_id: str) -> tuple[Target, dict[str, Any]]:
        """A webhook by its id, with its item; ends the command when there is none."""
        found = next((pair for pair in self.states.every() if pair[0].webhook_id == webhook_id), None)
        if found is None:
            fail(f"there is no webhook {webhook_id}; `python -m ops webhooks list` shows them")
        return found


def tools(stack_name: str) -> Tools:
    """The tools for the stack of that name."""
    return Tools(find(stack_name))


def as_webhook(target: Target, item: Mapping[str, Any]) -> Webhook:
    """A webhook as rendering wants it."""
    return Webhook(
        id=target.webhook_id,
        instance_id=target.instance_id,
        events=frozenset(map(EventKind, item.get("events", []))),
        format=target.format,
        scope=Scope(item.get("scope", Scope.INSTANCE)),
        batch=target.batch,
        batch_seconds=target.batch_seconds,
        senders=frozenset(item.get("senders", [])),
    )
