"""The reputation functions as Lambda calls them, with tables, a queue and topics in moto."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import boto3
import pytest

from lambdas.aws import clients
from lambdas.aws.dynamodb.attribute_values import to_item
from lambdas.aws.dynamodb.reputation.ledger import Ledger
from lambdas.aws.dynamodb.reputation.sending_status_table import SendingStatusTable
from lambdas.aws.dynamodb.webhooks.webhook_table import instance_key, webhook_key
from lambdas.aws.sqs.delivery_queue import decode
from lambdas.domain.reputation.evaluation import HourCounts, SendingState
from lambdas.domain.reputation.ledger import LedgerEntry, LedgerKind, bucket_of
from lambdas.domain.tenants.aws_names import alert_topic, configuration_set
from lambdas.domain.webhooks.webhook import WebhookId
from lambdas.reputation import handler as reputation
from lambdas.reputation.composition import Composition
from lambdas.reputation.settings import ReputationSettings
from tests.aws.tables import dynamodb_with
from tests.feedback.test_handler import Context

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

Entry = Callable[[dict[str, Any], Any], dict[str, Any]]
REGION = "us-east-1"
ACCOUNT = "123456789012"


@dataclass
class LongContext(Context):
    """A run with time left."""

    def get_remaining_time_in_millis(self) -> int:
        """Ten minutes."""
        return 600_000


class Switch:
    """SES's sending options; moto has none for configuration sets."""

    def __init__(self) -> None:
        self.enabled = {configuration_set("i1"): True}
        self.broken = False

    def put_configuration_set_sending_options(self, *, ConfigurationSetName: str, SendingEnabled: bool) -> None:  # noqa: N803
        """As SES does."""
        if self.broken:
            raise TimeoutError("SES does not answer")
        self.enabled[ConfigurationSetName] = SendingEnabled

    def get_configuration_set(self, *, ConfigurationSetName: str) -> dict[str, Any]:  # noqa: N803
        """As SES does."""
        return {"SendingOptions": {"SendingEnabled": self.enabled[ConfigurationSetName]}}


@dataclass
class Stack:
    """What the functions read, write and tell."""

    dynamodb: "DynamoDBClient"
    sqs: Any
    switch: Switch
    deliveries_url: str
    mails_url: str

    def count(self, *, bounces: int, deliveries: int) -> None:
        """As the feedback function would."""
        now = datetime.now(UTC)
        ledger = Ledger(self.dynamodb, "reputation")
        ledger.add_deliveries("i1", {bucket_of(now): deliveries})
        entry = LedgerEntry(
            key=f"f{bounces}",
            kind=LedgerKind.BOUNCE,
            bucket=bucket_of(now),
            timestamp=now,
            counted=bounces,
            message_id="m-1",
            reason="General",
            recipients=("joe@shop.example",),
            sent_at=now,
        )
        ledger.add("i1", [entry])

    def changed(self, *instances: str, entry: Entry = reputation.handler) -> dict[str, Any]:
        """Call *entry* with a batch of the stream."""
        records = [
            {
                "eventID": f"e{number}",
                "dynamodb": {
                    "SequenceNumber": str(number),
                    "Keys": {"instance_id": {"S": instance}, "item": {"S": "feedback#..."}},
                },
            }
            for number, instance in enumerate(instances)
        ]
        return entry({"Records": records}, Context())

    def mails(self) -> list[str]:
        """What people got."""
        messages = self.sqs.receive_message(QueueUrl=self.mails_url, MaxNumberOfMessages=10).get("Messages", [])
        return [message["Body"] for message in messages]

    def state(self) -> SendingState:
        """How the instance stands."""
        return SendingStatusTable(self.dynamodb, "reputation").load("i1").state


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """An instance with a webhook and people who listen."""
    for name, value in {"DEFAULT_REGION": REGION, "ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    switch = Switch()

    def forget() -> None:
        clients.CLIENTS.forget()
        reputation._composition.cache_clear()
        reputation._observability.cache_clear()

    forget()
    with dynamodb_with("reputation", "webhooks") as dynamodb:
        dynamodb.create_table(
            TableName="rate_limiter",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "bucket", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "bucket", "AttributeType": "S"}],
        )
        sqs, sns = boto3.client("sqs"), boto3.client("sns")
        deliveries_url = sqs.create_queue(QueueName="deliveries")["QueueUrl"]
        mails_url = sqs.create_queue(QueueName="mails")["QueueUrl"]
        operator = sns.create_topic(Name="operator")["TopicArn"]
        for topic in (operator, sns.create_topic(Name=alert_topic("i1"))["TopicArn"]):
            sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:mails")
        settings = ReputationSettings(
            reputation_table="reputation",
            webhooks_table="webhooks",
            rate_limiter_table="rate_limiter",
            deliveries_queue_url=deliveries_url,
            operator_topic_arn=operator,
            event_topic_arn="arn:aws:sns:us-east-1:123456789012:events",
            partition="aws",
            region=REGION,
            account=ACCOUNT,
        )
        for name, value in settings.to_environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(reputation, "CLIENTS", clients.Clients(sesv2=switch))
        webhook = {"events": ["bounce"], "format": "standard-webhooks", "scope": "instance", "senders": ["b"]}
        for item in (
            instance_key("i1") | {"notifications": True},
            webhook_key("i1", WebhookId("w1")) | webhook,
        ):
            dynamodb.put_item(TableName="webhooks", Item=to_item(item))
        yield Stack(dynamodb=dynamodb, sqs=sqs, switch=switch, deliveries_url=deliveries_url, mails_url=mails_url)
    forget()


def test_a_counter_that_crosses_pauses_and_tells(stack: Stack) -> None:
    """SES's switch, the webhook, the admin, the operator."""
    stack.count(bounces=40, deliveries=600)
    assert stack.changed("i1", "i1") == {"batchItemFailures": []}
    assert stack.switch.enabled == {configuration_set("i1"): False}
    assert stack.state() is SendingState.PAUSED
    (message,) = stack.sqs.receive_message(QueueUrl=stack.deliveries_url)["Messages"]
    assert [delivery.type for delivery in decode(message["Body"]).deliveries] == ["reputation.paused"]
    mails = stack.mails()
    assert len(mails) == 2
    assert all("Sending is paused: i1" in mail for mail in mails)


def test_a_record_whose_action_fails_comes_again_and_stops_nobody(stack: Stack) -> None:
    """An instance that is gone is passed over."""
    stack.count(bounces=40, deliveries=600)
    stack.switch.broken = True
    assert stack.changed("gone", "i1") == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert stack.mails() == []
    stack.switch.broken = False
    assert stack.changed("gone", "i1") == {"batchItemFailures": []}
    assert len(stack.mails()) == 2


def test_the_sweep_finishes_and_checks(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the stream gave up, and a switch that somebody turned back."""
    stack.count(bounces=40, deliveries=600)
    stack.switch.broken = True
    stack.changed("i1")
    stack.switch.broken = False
    reputation.reconcile({}, LongContext())
    assert stack.state() is SendingState.PAUSED
    assert stack.switch.enabled == {configuration_set("i1"): False}

    stack.switch.enabled[configuration_set("i1")] = True
    monkeypatch.setattr("lambdas.reputation.reconcile.SLOTS", 1)
    monkeypatch.setattr("time.sleep", lambda _: None)
    reputation.reconcile({}, LongContext())
    assert stack.switch.enabled == {configuration_set("i1"): False}
    assert any("Sending state differed" in mail for mail in stack.mails())


def test_who_reaches_the_daily_cap_is_paused_although_ses_fails_at_first(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cap claims the pause; the claim wakes the evaluation, which retries until SES, webhook and people know."""
    monkeypatch.setenv("DAILY_CAP", "1000")
    stack.count(bounces=1, deliveries=998)
    assert stack.changed("i1", "gone", entry=reputation.cap) == {"batchItemFailures": []}
    assert stack.state() is SendingState.HEALTHY
    stack.count(bounces=2, deliveries=0)
    assert stack.changed("i1", "gone", entry=reputation.cap) == {"batchItemFailures": []}
    assert stack.state() is SendingState.PAUSED
    assert stack.switch.enabled == {configuration_set("i1"): True}

    stack.switch.broken = True
    assert stack.changed("i1") == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    stack.switch.broken = False
    assert stack.changed("i1") == {"batchItemFailures": []}
    assert stack.switch.enabled == {configuration_set("i1"): False}
    assert len([mail for mail in stack.mails() if "the cap is 1,000 a day" in mail]) == 2
    assert stack.changed("i1", entry=reputation.cap) == {"batchItemFailures": []}
    assert stack.mails() == []


def test_a_counter_that_cannot_be_read_comes_to_the_cap_again(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """And stops nobody else."""
    monkeypatch.setenv("DAILY_CAP", "1")
    stack.count(bounces=1, deliveries=1)
    read = reputation._composition().cap.counters.hours

    def hours(instance_id: str, *, since: str) -> Iterator[HourCounts]:
        if instance_id == "broken":
            raise TimeoutError
        return read(instance_id, since=since)

    monkeypatch.setattr(reputation._composition().table, "hours", hours)
    answer = stack.changed("broken", "i1", entry=reputation.cap)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    assert stack.state() is SendingState.PAUSED


def test_no_address_is_logged(stack: Stack, caplog: pytest.LogCaptureFixture) -> None:
    """The letters name recipients; the log does not."""
    stack.count(bounces=40, deliveries=600)
    with caplog.at_level("INFO", "reputation"):
        stack.changed("i1")
    assert "instance evaluated: transition enforced" in caplog.messages
    assert not [record for record in caplog.records if "@" in str(vars(record))]


def emitted(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The metrics that were printed for CloudWatch."""
    lines = [line for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    return [json.loads(line) for line in lines]


def test_metrics_and_log_lines_are_the_reputation_functions(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    """Alarms look for the namespace, log queries for the service; the batch's changes are counted."""
    stack.changed("i1", "i1", "gone")
    [metrics] = emitted(capsys)
    [described] = metrics["_aws"]["CloudWatchMetrics"]
    assert (described["Namespace"], metrics["service"]) == ("SesFeedback", "reputation")
    assert (metrics["CountersChanged"], metrics["InstancesEvaluated"]) == ([3.0], [1.0])
    assert reputation.logger.service == "reputation"


def test_instances_that_reach_the_cap_are_logged_and_counted(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once each."""
    monkeypatch.setenv("DAILY_CAP", "100")
    stack.count(bounces=1, deliveries=99)
    with caplog.at_level("INFO", "reputation"):
        stack.changed("i1", "gone", entry=reputation.cap)
        stack.changed("i1", "gone", entry=reputation.cap)
    assert caplog.messages == ["daily cap reached"]
    assert [metrics["InstancesCapped"] for metrics in emitted(capsys)] == [[1.0], [0.0]]


def test_reconciliation_keeps_the_end_of_its_run_for_what_it_has_begun(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty of its seconds: it begins no comparison in them."""
    given: list[float] = []
    made = Composition.reconciler

    def reconciler(self: Composition, observer: Any, time_left: Callable[[], float]) -> Any:
        given.append(time_left())
        return made(self, observer, time_left)

    monkeypatch.setattr(Composition, "reconciler", reconciler)
    reputation.reconcile({}, LongContext())
    assert given == [580.0]


@pytest.mark.parametrize(
    ("waits", "left", "may", "slept"),
    [
        ([0.0], [30.0], True, []),
        ([0.0], [0.5], True, []),
        ([0.0], [0.0], False, []),
        ([2.0, 1.0, 0.0], [30.0, 28.0, 27.0], True, [2.0, 1.0]),
        ([2.0], [2.0], False, []),
        ([2.0, 0.0], [2.5, 0.0], False, [2.0]),
    ],
)
def test_a_comparison_waits_for_its_turn_at_ses_while_there_is_time(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, waits: list[float], left: list[float], may: bool, slept: list[float]
) -> None:
    """The broker uses the same calls."""
    sleeps: list[float] = []
    monkeypatch.setattr("time.sleep", sleeps.append)
    limiter = Mock(acquire=Mock(side_effect=waits))
    composed = replace(reputation._composition(), rate_limiter=limiter)
    assert composed.reconciler(Mock(), Mock(side_effect=left)).may_call_ses() is may
    assert sleeps == slept


def test_the_portals_address_reaches_the_notifications(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the function's environment."""
    monkeypatch.setenv("PORTAL_URL", "https://portal.example")
    stack.count(bounces=40, deliveries=600)
    stack.changed("i1")
    mails = stack.mails()
    assert len(mails) == 2
    assert all("https://portal.example/instances/i1" in mail for mail in mails)
