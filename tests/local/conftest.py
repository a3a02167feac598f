"""The embedded AWS with nothing on it, one for each test process; names keep the tests apart."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from local import process
from local.clients import REGION, Clients
from local.process import Server

__all__ = ["REGION", "Tenant", "new_name"]
PATIENCE = 10.0  # s until an expected message must have come


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running embedded AWS on free ports."""
    folder = tmp_path_factory.mktemp("embedded")
    running = process.start(folder)
    yield running
    process.stop(running.pid)


@pytest.fixture(scope="session")
def aws(server: Server) -> Clients:
    """Clients for the embedded AWS."""
    return Clients(server.url)


def new_name(prefix: str) -> str:
    """A name that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A sending identity with its configuration set, the user that sends, and a queue that hears every event."""

    aws: Clients
    configuration_set: str
    domain: str
    user: str
    key: str
    secret: str
    queue: str
    topic: str

    @property
    def sender(self) -> str:
        """An address of the identity."""
        return f"app@{self.domain}"

    def heard(self, count: int) -> list[Any]:
        """The next *count* messages: SES's events, and its plain text as a string."""
        found: list[Any] = []
        sqs, deadline = self.aws.client("sqs"), time.monotonic() + PATIENCE
        while len(found) < count and time.monotonic() < deadline:
            answer = sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in answer.get("Messages", []):
                body = message["Body"]
                found.append(json.loads(body) if body.startswith("{") else body)
                sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        assert len(found) == count, found
        return found

    def send(self, *recipients: str, **more: Any) -> str:
        """Send a plain mail by SES v2; its message id."""
        call = {
            "FromEmailAddress": self.sender,
            "Destination": {"ToAddresses": list(recipients)},
            "Content": {"Simple": {"Subject": {"Data": "Hello"}, "Body": {"Text": {"Data": "Hi."}}}},
            "ConfigurationSetName": self.configuration_set,
        } | more
        client = self.aws.client("sesv2", key=self.key, secret=self.secret)
        message_id: str = client.send_email(**{name: value for name, value in call.items() if value is not None})[
            "MessageId"
        ]
        return message_id


ALL_EVENTS = ["SEND", "DELIVERY", "BOUNCE", "COMPLAINT", "REJECT", "DELIVERY_DELAY", "RENDERING_FAILURE"]


@pytest.fixture
def new_tenant(aws: Clients) -> Callable[..., Tenant]:
    """Makes tenants whose event destination matches the given event types."""

    def make(*types: str) -> Tenant:
        ses, iam, sns, sqs = (aws.client(service) for service in ("sesv2", "iam", "sns", "sqs"))
        name = new_name("set")
        queue = sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        topic = sns.create_topic(Name=name)["TopicArn"]
        raw = {"RawMessageDelivery": "true"}
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=raw)
        ses.create_configuration_set(ConfigurationSetName=name)
        definition = {
            "Enabled": True,
            "MatchingEventTypes": list(types) or ALL_EVENTS,
            "SnsDestination": {"TopicArn": topic},
        }
        ses.create_configuration_set_event_destination(
            ConfigurationSetName=name, EventDestinationName="all", EventDestination=definition
        )
        domain = f"{name}.example.org"
        ses.create_email_identity(EmailIdentity=domain)
        iam.create_user(UserName=name, Path="/cf/")
        key = iam.create_access_key(UserName=name)["AccessKey"]
        tenant = Tenant(
            aws=aws,
            configuration_set=name,
            domain=domain,
            user=name,
            key=key["AccessKeyId"],
            secret=key["SecretAccessKey"],
            queue=queue,
            topic=topic,
        )
        assert tenant.heard(1) == ["Successfully validated SNS topic for Amazon SES event publishing."]
        return tenant

    return make


@pytest.fixture
def tenant(new_tenant: Callable[..., Tenant]) -> Tenant:
    """A tenant that hears every kind of event."""
    return new_tenant()
