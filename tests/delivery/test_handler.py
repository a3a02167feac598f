"""The delivery functions as Lambda calls them: tables, queue, keys and topics in moto, a receiver on a real socket."""

import asyncio
import gc
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from standardwebhooks.webhooks import Webhook

from lambdas.aws import clients
from lambdas.aws.dynamodb.attribute_values import from_item, to_item
from lambdas.aws.dynamodb.backlog.backlog import Backlog
from lambdas.aws.dynamodb.webhooks.webhook_table import webhook_key
from lambdas.aws.kms.webhook_secrets import encrypt
from lambdas.aws.sqs.delivery_queue import decode, encode
from lambdas.delivery import handler as functions
from lambdas.delivery.composition import Composition
from lambdas.delivery.ports import DeliveryRules
from lambdas.delivery.settings import DeliverySettings
from lambdas.domain.webhooks.delivery import Delivery, DeliveryBatch
from lambdas.domain.webhooks.health import HealthRules
from lambdas.domain.webhooks.retry_schedule import RetrySchedule
from lambdas.domain.webhooks.signature import WebhookSecret, new_secret
from lambdas.domain.webhooks.webhook import NotificationFormat, WebhookId
from tests.aws.tables import create_backlog, dynamodb_with

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_sqs import SQSClient

INSTANCE, WEBHOOK = "i1", WebhookId("w1")


@dataclass
class Context:
    """What Lambda tells a function of its run."""

    function_name: str = "delivery"

    def get_remaining_time_in_millis(self) -> int:
        """90 s."""
        return 90_000


@dataclass
class Stack:
    """What the functions read and write, and the receiver."""

    dynamodb: "DynamoDBClient"
    sqs: "SQSClient"
    queue_url: str
    slow_queue_url: str
    secret: str
    statuses: list[int] = field(default_factory=list)
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def run(self, *bodies: str, queue: str = "deliveries", received: int = 1) -> list[str]:
        """One batch of the queue, *received* for so many times; the messages that come back."""
        arn = f"arn:aws:sqs:us-east-1:123456789012:{queue}"
        records = [
            {
                "messageId": str(number),
                "body": body,
                "eventSourceARN": arn,
                "attributes": {"ApproximateReceiveCount": str(received)},
            }
            for number, body in enumerate(bodies)
        ]
        answer = functions.handler({"Records": records}, Context())  # type: ignore[arg-type]
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def release(self) -> None:
        """One run of release."""
        functions._composition()._states._kept.clear()
        functions.release({}, Context())  # type: ignore[arg-type]

    def sent(self) -> list[DeliveryBatch]:
        """What is in the queue, delayed or not."""
        return self._take(self.queue_url)

    def sent_slowly(self) -> list[DeliveryBatch]:
        """What is in the slow queue."""
        return self._take(self.slow_queue_url)

    def _take(self, url: str) -> list[DeliveryBatch]:
        messages = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [decode(message["Body"]) for message in messages]

    def delayed(self) -> int:
        """How many messages wait out a delay."""
        answer = self.sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=["All"])
        return int(answer["Attributes"]["ApproximateNumberOfMessagesDelayed"])

    def webhook(self) -> dict[str, Any]:
        """The webhook's item."""
        key = to_item(webhook_key(INSTANCE, WEBHOOK))
        return from_item(self.dynamodb.get_item(TableName="webhooks", Key=key)["Item"])

    def set_webhook(self, **changes: object) -> None:
        """Change the webhook's item, and have the functions see it at once."""
        functions._composition()._states._kept.clear()
        self.dynamodb.put_item(TableName="webhooks", Item=to_item({**self.webhook(), **changes}))

    def waiting(self) -> int:
        """How many deliveries are parked."""
        return Backlog(self.dynamodb, "backlog").waiting(INSTANCE, WEBHOOK)


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """A healthy webhook, whose receiver answers 200 unless it is told otherwise."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    _forget()
    with dynamodb_with("webhooks") as dynamodb:
        create_backlog(dynamodb, "backlog")
        sqs = boto3.client("sqs", region_name="us-east-1")
        kms = boto3.client("kms", region_name="us-east-1")
        secret = new_secret()
        urls = [sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("deliveries", "slow-deliveries")]
        stack = Stack(dynamodb, sqs, urls[0], urls[1], secret)
        for name, value in _settings(stack).to_environment().items():
            monkeypatch.setenv(name, value)
        with _receiver(stack) as port:
            key_id = kms.create_key()["KeyMetadata"]["KeyId"]
            item = {
                **webhook_key(INSTANCE, WEBHOOK),
                "url": f"http://127.0.0.1:{port}/hook",
                "format": "standard-webhooks",
                "version": 1,
                "ciphertext": encrypt(kms, key_id, WEBHOOK, WebhookSecret(secret=secret, userinfo="joe:s%40crt")),
            }
            dynamodb.put_item(TableName="webhooks", Item=to_item(item))
            yield stack
        _forget()


def _settings(stack: Stack) -> DeliverySettings:
    return DeliverySettings(
        webhooks_table="webhooks",
        backlog_table="backlog",
        deliveries_queue_url=stack.queue_url,
        slow_deliveries_queue_url=stack.slow_queue_url,
        partition="aws",
        region="us-east-1",
        account="123456789012",
        allowed_cidrs="127.0.0.0/8",
        allow_http=True,
        private_ca_file="",
        attempt_seconds=15,
        retry_seconds="5,300,1800",
        probe_seconds="5,30,300,900",
        failing_seconds=30,
        disabled_seconds=432000,
        release_seconds=60,
    )


def _forget() -> None:
    """Have the functions start cold, and close what the last ones kept open."""
    clients.CLIENTS.forget()
    if functions._composition.cache_info().currsize and "dispatcher" in vars(functions._composition()):
        functions._loop().run(functions._composition().dispatcher.client.aclose())  # type: ignore[attr-defined]
        functions._loop().run(asyncio.sleep(0))
    if functions._loop.cache_info().currsize:
        functions._loop().close()
    for part in (
        functions._settings,
        functions._loop,
        functions._composition,
    ):
        part.cache_clear()


class _receiver:  # noqa: N801  # a context manager
    def __init__(self, stack: Stack) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                stack.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(stack.statuses.pop(0) if stack.statuses else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True

    def __enter__(self) -> int:
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self.server.server_address[1]

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def one(number: int = 1, type_: str = "email.bounced", *, created_at: datetime | None = None) -> Delivery:
    """A delivery."""
    return Delivery(
        id=f"msg_{number}",
        type=type_,
        timestamp=datetime.now(UTC),
        created_at=created_at or datetime.now(UTC),
        format=NotificationFormat.STANDARD_WEBHOOKS,
        body=json.dumps({"type": type_, "number": number}),
        headers={"content-type": "application/json"},
    )


def message(*deliveries: Delivery, attempt: int = 1, webhook: WebhookId = WEBHOOK) -> str:
    """A queue message."""
    return encode(
        DeliveryBatch(instance_id=INSTANCE, webhook_id=webhook, attempt=attempt, deliveries=deliveries or (one(),))
    )


def test_a_delivery_arrives_signed_with_its_id_and_the_urls_userinfo(stack: Stack) -> None:
    """As a Standard Webhooks library checks it; userinfo comes as Basic auth, percent-decoded."""
    assert stack.run(message()) == []

    ((headers, body),) = stack.received
    assert Webhook(stack.secret).verify(body, headers) == {"type": "email.bounced", "number": 1}
    assert headers["webhook-id"] == "msg_1"
    assert headers["authorization"] == "Basic am9lOnNAY3J0"
    assert stack.sent() == []


def test_only_the_failures_of_a_message_go_back(stack: Stack) -> None:
    """As a new message with the next attempt's number; the original is acknowledged."""
    stack.statuses = [200, 404]

    assert stack.run(message(one(1), one(2), one(3))) == []

    assert stack.delayed() == 1
    assert [attempt["reason"] for attempt in stack.webhook()["health"]["attempts"]] == ["404"]


def test_a_gone_webhooks_message_is_acknowledged(stack: Stack) -> None:
    """Nobody is left to tell."""
    assert stack.run(message(webhook=WebhookId("gone"))) == []
    assert stack.received == []


def test_a_message_that_is_none_goes_to_the_dead_letter_queue_and_its_neighbours_arrive(stack: Stack) -> None:
    """Only we write to this queue, so it is kept for us to look at."""
    assert stack.run("{}", message()) == ["0"]
    assert len(stack.received) == 1


def test_a_message_of_a_later_release_returns_to_the_queue(stack: Stack) -> None:
    """It would be read here, with another meaning perhaps: a rollback loses nothing and misreads nothing."""
    newer = message().replace('{"schema":1,', '{"schema":99,', 1)
    assert stack.run(newer, message()) == ["0"]
    assert len(stack.received) == 1


def test_a_long_wait_is_parked_and_comes_back_when_it_is_due(stack: Stack) -> None:
    """The third attempt's failure waits for half an hour: over SQS's fifteen minutes."""
    stack.statuses = [500]

    assert stack.run(message(attempt=3)) == []

    assert (stack.delayed(), stack.waiting()) == (0, 1)
    stack.release()
    assert stack.sent() == []


def test_what_is_parked_for_a_failing_webhook_comes_back_as_a_probe_and_drains_when_it_succeeds(stack: Stack) -> None:
    """The whole way: failing, parked, probed, healthy, drained."""
    past = datetime.now(UTC) - timedelta(minutes=10)
    failing = {"state": "failing", "since": past.isoformat(), "failures": 3, "record": 1, "webhook_version": 1}
    ahead = (datetime.now(UTC) + timedelta(minutes=10)).isoformat()
    stack.set_webhook(health={**failing, "probe_at": ahead})
    old = [one(number, created_at=past + timedelta(seconds=number)) for number in range(1, 4)]

    assert stack.run(*(message(delivery) for delivery in old)) == []
    assert (stack.received, stack.waiting()) == ([], 3)
    stack.release()
    assert stack.sent() == []

    stack.set_webhook(health={**failing, "probe_at": past.isoformat()})
    assert stack.run(message(one(4))) == []
    assert stack.received == []
    (probe,) = stack.sent_slowly()
    stack.run(encode(probe), queue="slow-deliveries")
    assert len(stack.received) == 1
    assert stack.webhook()["health"].get("state", "healthy") == "healthy"

    stack.release()
    (drained,) = stack.sent()
    assert [delivery.id for delivery in drained.deliveries] == ["msg_1", "msg_2", "msg_3"]
    assert stack.waiting() == 0


def test_a_failed_probe_costs_two_writes_of_the_health_record(stack: Stack) -> None:
    """Its claim and its result: the result is written on top of the claim, not refused and written again."""
    stack.statuses = [503]
    first = (datetime.now(UTC) - timedelta(seconds=10)).isoformat()
    stack.set_webhook(health={"failures": 3, "first_failure": first, "record": 3, "webhook_version": 1})
    writes: list[object] = []
    client = clients.CLIENTS.client("dynamodb")
    client.meta.events.register("before-call.dynamodb.UpdateItem", lambda **_: writes.append(1))

    assert stack.run(message(one(1), one(2)), queue="slow-deliveries") == []

    assert (len(stack.received), len(writes)) == (1, 2)
    assert stack.webhook()["health"]["record"] == 5


def test_a_410_disables_the_webhook_and_what_comes_later_is_parked(stack: Stack) -> None:
    """The receiver wants no more; nothing is lost."""
    stack.statuses = [410]

    stack.run(message(one(1)))
    stack.run(message(one(2)))

    assert stack.webhook()["health"]["state"] == "disabled"
    assert (len(stack.received), stack.waiting()) == (1, 2)


def test_a_test_leaves_health_alone_and_is_noted(stack: Stack) -> None:
    """At bind the application is not up yet."""
    stack.statuses = [404]

    assert stack.run(message(one(1, "webhook.test"))) == []

    assert "health" not in stack.webhook()
    result = stack.webhook()["test_result"]
    assert (result["status"], result["delivery"]) == ("404", "msg_1")
    assert (stack.delayed(), stack.waiting()) == (0, 0)


def test_a_successful_test_has_a_disabled_webhook_probed(stack: Stack) -> None:
    """What waits comes back as the probe, and the rest after it."""
    past = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    stack.set_webhook(health={"state": "disabled", "since": past, "record": 1, "webhook_version": 1})
    stack.run(message(one(1)))
    assert stack.waiting() == 1

    functions._composition()._states._kept.clear()
    stack.run(message(one(2, "webhook.test")))
    stack.release()

    assert [batch.deliveries[0].id for batch in stack.sent_slowly()] == ["msg_1"]


def test_messages_that_come_together_leave_as_one_and_those_that_come_again_do_not(stack: Stack) -> None:
    """For a webhook with batches; the second time they may have been posted before a crash."""
    stack.set_webhook(batch=10)
    messages = [message(one(number)) for number in (1, 2)]

    assert stack.run(*messages) == []
    assert stack.received == []
    (stored,) = stack.sent()
    assert (stored.fixed, len(stored.deliveries)) == (True, 2)

    assert stack.run(*messages, received=2) == []
    assert len(stack.received) == 2


def emitted(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The metrics that were printed for CloudWatch."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]


def test_metrics_and_log_lines_are_the_delivery_functions(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    """Alarms look for the namespace, log queries for the service; also of an invocation that fails."""
    assert stack.run("{}", message(one(1))) == ["0"]
    [metrics] = emitted(capsys)
    [described] = metrics["_aws"]["CloudWatchMetrics"]
    assert (described["Namespace"], metrics["service"]) == ("SesFeedback", "delivery")
    units = {metric["Name"]: metric["Unit"] for metric in described["Metrics"]}
    assert units == {
        "MessagesUnreadable": "Count",
        "DeliveriesMade": "Count",
        "FirstAttempts": "Count",
        "FirstAttemptsLate": "Count",
        "EventToWebhookSeconds": "Seconds",
    }
    assert (metrics["MessagesUnreadable"], metrics["DeliveriesMade"]) == ([1.0], [1.0])
    assert functions.logger.service == "delivery"
    stack.run(message(webhook=WebhookId("gone")))
    assert [metrics["DeliveriesWebhookDeleted"] for metrics in emitted(capsys)] == [[1.0]]


@dataclass
class Invocation:
    """What the dispatcher is asked for."""

    asked: list[dict[str, Any]] = field(default_factory=list)

    async def deliver(self, batches: dict[str, DeliveryBatch], **limits: Any) -> list[str]:
        """Nothing is delivered; the first message comes back."""
        self.asked.append({"batches": list(batches), **limits})
        return list(batches)[:1]


@pytest.mark.parametrize(("queue", "prompt"), [("deliveries", True), ("slow-deliveries", False)])
def test_an_invocation_ends_before_its_function_and_knows_its_queue(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, queue: str, prompt: bool
) -> None:
    """90 seconds, less an attempt's 15 and 10 for what follows it; what SQS delivers again is known, too."""
    asked = Invocation()
    monkeypatch.setattr(Composition, "dispatcher", asked)
    now = datetime(2026, 11, 21, tzinfo=UTC)
    monkeypatch.setattr(functions, "_now", lambda: now)
    assert stack.run(message(), message(), queue=queue) == ["0"]
    assert stack.run("{}", message(), queue=queue, received=2) == ["0", "1"]
    deadline = now + timedelta(seconds=65)
    assert asked.asked == [
        {"batches": ["0", "1"], "deadline": deadline, "prompt": prompt, "seen": set()},
        {"batches": ["1"], "deadline": deadline, "prompt": prompt, "seen": {"0", "1"}},
    ]


def test_a_message_whose_receives_are_not_known_came_for_the_first_time(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a replay by hand."""
    asked = Invocation()
    monkeypatch.setattr(Composition, "dispatcher", asked)
    record = {"messageId": "m", "body": message(), "eventSourceARN": "arn:aws:sqs:us-east-1:1:deliveries"}
    functions.handler({"Records": [record]}, Context())  # type: ignore[arg-type]
    assert asked.asked[0]["seen"] == set()


@pytest.mark.parametrize(
    ("every", "left", "rounds"),
    [
        (60, 90, 1),
        (59, 90, 1),
        (20, 90, 3),
        (11, 90, 6),
        (27, 90, 3),
        (20, 45, 2),
        (10, 45, 4),
    ],
)
def test_release_makes_as_many_rounds_as_fit_a_run(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, every: int, left: int, rounds: int
) -> None:
    """Of 55 seconds, or of the function's time but for its last ten; one where a round a minute is enough."""
    made: list[datetime] = []
    now = began = datetime(2026, 11, 21, tzinfo=UTC)

    def sleep(seconds: float) -> None:
        nonlocal now
        assert seconds == every
        now += timedelta(seconds=seconds)

    class Round:
        def release(self, *, deadline: datetime) -> None:
            assert deadline == began + timedelta(seconds=left - 10)
            made.append(now)

    class Gauge:
        def record_if_due(self, *, now: datetime) -> None:
            assert (now, made) == (began, [])

    monkeypatch.setattr(functions, "_now", lambda: now)
    monkeypatch.setattr("time.sleep", sleep)
    monkeypatch.setattr(Composition, "releaser", Round())
    monkeypatch.setattr(Composition, "gauges", Gauge())
    monkeypatch.setenv("RELEASE_SECONDS", str(every))
    functions._settings.cache_clear()
    context = Context()
    context.get_remaining_time_in_millis = lambda: left * 1000  # type: ignore[method-assign]
    functions.release({}, context)  # type: ignore[arg-type]
    assert made == [began + timedelta(seconds=every * number) for number in range(rounds)]


def test_both_functions_are_composed_from_their_settings(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Periods, address rules, the portal's address; the garbage collector runs again after the imports."""
    monkeypatch.setenv("PORTAL_URL", "https://portal.gov")
    functions._settings.cache_clear()
    functions._composition.cache_clear()
    composed = functions._composition()
    assert composed.dispatcher.rules == DeliveryRules(
        retry_schedule=RetrySchedule(waits=(5.0, 300.0, 1_800.0)),
        health=HealthRules(
            failing_after=timedelta(seconds=30), disabled_after=timedelta(days=5), probes=(5.0, 30.0, 300.0, 900.0)
        ),
        release_every=60,
        attempt_seconds=15,
    )
    assert gc.isenabled()
    assert composed.dispatcher is composed.dispatcher
    jitters = [composed.dispatcher.jitter() for _ in range(300)]
    assert -1 <= min(jitters) < -0.5 < 0.5 < max(jitters) <= 1
    assert composed.releaser.digests.portal_url == composed.releaser.transitions.portal_url == "https://portal.gov"
    assert composed.dispatcher.transitions is composed.releaser.transitions
    notifier = composed.releaser.transitions.notifier
    assert (notifier, composed.gauges.states) == (composed.releaser.digests.topics, composed.releaser.states)
    assert not notifier.notify("arn:aws:sns:us-east-1:123456789012:gone", subject="s", text="t")
    utc = composed.dispatcher.clock().utcoffset()
    assert utc == timedelta(0)
