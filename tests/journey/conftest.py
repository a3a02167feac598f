"""The whole stack on an embedded AWS, brought up once for a test run.

How to use it, in a file of your own under tests/journey:

    import pytest
    from tests.journey.conftest import Stack

    pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journey")]

    def test_a_bounce_comes_back(stack: Stack, receiver: Receiver) -> None:
        tenant = stack.tenant(receiver.url())           # provisioned, bound, gone after the test
        tenant.mailbox.send("bounce@shop.example")      # by the API with the bound key; send_by_smtp() too
        [bounced] = receiver.wait_for(kind="email.bounced")
        assert bounced.is_signed_with(tenant.secret)

`stack.facts` is the contents of stack.json, `stack.client("sqs")` a boto3 client as the operator, `stack.broker` the
broker as a platform calls it (`stack.broker.http` for bare requests). `receiver` is a new one for each test;
`receiver.answer(503)` makes it fail, `receiver.stop()` and `receiver.start()` make it go away and come back.
Tests share the stack: go by your own tenant's ids, never by the number of messages in a shared queue.

Both marks are needed: the group keeps all journeys in one process of pytest-xdist, so that one stack serves them.
Set SES_FEEDBACK_STACK to a folder with a stack.json to use a running stack instead (`SES_FEEDBACK_STACK=.local`).
"""

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import pytest
from typer.testing import CliRunner, Result

from lambdas.aws import clients
from local.clients import Clients
from local.counters import counters
from local.emulator.publishing import publish, told_of
from local.logs import log_of
from local.recorder import recorded_calls
from local.stack import LocalStack
from local.tenant.receiver import Receiver
from local.tenant.tenant import Tenant, new_tenant
from ops.__main__ import app
from ops.deployment.osb import Broker
from tests.iam.operators import recording

PATIENCE = 60.0  # s until what is awaited must have come
POLL = 0.1  # s
DAILY_CAP = 20_000  # mails of an instance a day: far more than the other journeys send
CONTEXT = {  # the journeys' tenants share an admin_email
    "mails_per_instance_and_day": str(DAILY_CAP),
    "confirmation_mails_per_day": "1000",
}
T = TypeVar("T")
Ops = Callable[..., Any]  # of words, and status=; see the fixture ops


@dataclass(frozen=True)
class Stack:
    """A running stack and who talks to it."""

    facts: dict[str, Any]
    tenants: list[Tenant] = field(default_factory=list)

    @cached_property
    def clients(self) -> Clients:
        """boto3 clients."""
        return Clients(self.facts["aws_endpoint_url"], self.facts["region"])

    @cached_property
    def broker(self) -> Broker:
        """The broker, as a platform calls it."""
        facts = self.facts
        return Broker(facts["broker_url"], facts["broker_username"], facts["broker_password"])

    def client(self, service: str) -> Any:
        """A boto3 client as the operator."""
        return self.clients.client(service)

    def tenant(self, webhook: str, **more: Any) -> Tenant:
        """A new tenant bound to *webhook*, gone after the test; see local.tenant.tenant.new_tenant for more."""
        tenant = new_tenant(self.facts, self.broker, webhook, **more)
        self.tenants.append(tenant)
        return tenant

    def counters(self, instance_id: str) -> dict[str, int]:
        """What was counted for an instance: deliveries, bounces, complaints."""
        return counters(self.facts, instance_id)

    def publish(self, message: str, *, instance_id: str | None = None) -> None:
        """Publish a raw message to the event topic, as if SES told of *instance_id*'s mail where it is given."""
        publish(self.facts, told_of(message, instance_id) if instance_id else message)

    def waiting(self, queue: str) -> int:
        """About how many messages a queue of `facts["queues"]` holds, in flight or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        url = self.facts["queues"][queue]
        answer = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)
        return sum(int(value) for value in answer["Attributes"].values())

    def log(self, function: str) -> list[dict[str, Any]]:
        """The JSON lines that a function of `facts["functions"]` logged so far, its metrics among them."""
        return log_of(self.facts, function)

    @staticmethod
    def eventually(read: Callable[[], T], holds: Callable[[T], bool], *, timeout: float = PATIENCE) -> T:
        """What *read* gives once *holds* is true of it; the test fails after *timeout* s, showing the last value."""
        deadline = time.monotonic() + timeout
        value = read()
        while not holds(value):
            assert time.monotonic() < deadline, f"after {timeout:.0f} s: {value!r}"
            time.sleep(POLL)
            value = read()
        return value


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run last what looks at the calls of all journeys; within a worker of pytest-xdist the order is kept."""
    items.sort(key=lambda item: item.get_closest_marker("after_all_journeys") is not None)


@pytest.fixture(scope="session")
def running_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Any]]:
    """The contents of stack.json: of a stack brought up for this run, or of one that runs already."""
    if folder := os.environ.get("SES_FEEDBACK_STACK"):
        yield LocalStack(Path(folder).resolve()).facts()
        return
    made = tmp_path_factory.mktemp("stack")
    stack, calls = LocalStack(made), made / "calls.jsonl"
    try:
        facts = stack.up(lambda *_: None, environment={recorded_calls.FILE: str(calls)}, context=CONTEXT)
        yield {**facts, "calls": str(calls)}
    finally:
        stack.down()


@pytest.fixture
def stack(running_stack: dict[str, Any]) -> Iterator[Stack]:
    """The stack; tenants made through it are unbound and deprovisioned after the test."""
    made = Stack(facts=running_stack)
    yield made
    for tenant in made.tenants:
        tenant.leave_if_there()
    made.broker.http.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A tenant's application, on a port of its own."""
    with Receiver() as listening:
        yield listening


def typed_here(stack: Stack, words: Sequence[str]) -> Result:
    """What came of `python -m ops WORDS`, in this process; it takes a second less than one of its own."""
    clients.CLIENTS.forget()  # each command's calls are recorded under its name
    return CliRunner(env=recording(stack.facts.get("calls", ""), words)).invoke(app, list(words))


@pytest.fixture
def ops(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ops]:
    """An operator's commands; what they say, as JSON. A status that is not as said fails the test."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", stack.facts["aws_endpoint_url"])
    monkeypatch.setenv("AWS_DEFAULT_REGION", stack.facts["region"])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    clients.CLIENTS.forget()

    def run(*words: str, status: int = 0) -> Any:
        done = typed_here(stack, [*words, "--json"])
        assert done.exit_code == status, done.output
        return json.loads(done.stdout) if done.stdout else None

    yield run
    clients.CLIENTS.forget()


@pytest.fixture
def new_id() -> str:
    """An id for an instance or a binding."""
    return str(uuid.uuid4())
