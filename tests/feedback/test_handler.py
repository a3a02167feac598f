"""The feedback function as Lambda calls it, with tables and a queue in moto."""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from lambdas.aws import clients
from lambdas.aws.dynamodb.attribute_values import from_item, to_item
from lambdas.aws.dynamodb.webhooks.webhook_table import instance_key, webhook_key
from lambdas.aws.sqs.delivery_queue import decode
from lambdas.domain.webhooks.delivery import Delivery
from lambdas.domain.webhooks.webhook import WebhookId
from lambdas.feedback import handler as feedback
from lambdas.feedback.settings import FeedbackSettings
from tests.aws.tables import create, dynamodb_with
from tests.events import INSTANCE, TOPIC_ARN, bounce, complaint, delivery, in_sns, text

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_sqs import SQSClient


@dataclass
class Context:
    """What Lambda tells a function of its run."""

    function_name: str = "feedback"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:111122223333:function:feedback"
    aws_request_id: str = "r-1"


@dataclass
class Stack:
    """What the function reads and writes."""

    dynamodb: "DynamoDBClient"
    sqs: "SQSClient"
    queue_url: str

    def run(self, *bodies: str) -> dict[str, Any]:
        """One batch."""
        records = [{"messageId": str(number), "body": body} for number, body in enumerate(bodies)]
        answer: dict[str, Any] = feedback.handler({"Records": records}, Context())
        return answer

    def deliveries(self) -> list[Delivery]:
        """The deliveries in the queue."""
        messages = self.sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get("Messages", [])
        return [one for message in messages for one in decode(message["Body"]).deliveries]

    def sent(self) -> list[str]:
        """The types of the deliveries in the queue."""
        return [one.type for one in self.deliveries()]


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """An instance with one webhook."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    clients.CLIENTS.forget()
    feedback._recorder.cache_clear()
    with dynamodb_with("webhooks") as dynamodb:
        create(dynamodb, "reputation")
        sqs = boto3.client("sqs", region_name="us-east-1")
        url = sqs.create_queue(QueueName="deliveries")["QueueUrl"]
        settings = FeedbackSettings(
            webhooks_table="webhooks",
            reputation_table="reputation",
            deliveries_queue_url=url,
            event_topic_arn=TOPIC_ARN,
        )
        for name, value in settings.to_environment().items():
            monkeypatch.setenv(name, value)
        webhook = {"events": ["bounce", "delivery"], "format": "sns", "scope": "instance", "senders": ["b"]}
        dynamodb.put_item(TableName="webhooks", Item=to_item({**instance_key(INSTANCE), "notifications": True}))
        key = webhook_key(INSTANCE, WebhookId("w1"))
        dynamodb.put_item(TableName="webhooks", Item=to_item({**key, **webhook}))
        yield Stack(dynamodb=dynamodb, sqs=sqs, queue_url=url)
    clients.CLIENTS.forget()
    feedback._recorder.cache_clear()


def test_a_mixed_batch_is_counted_fanned_out_and_acknowledged(stack: Stack) -> None:
    """A bounce raw, a delivery in SNS's envelope, a duplicate, a foreign event and rubbish."""
    answer = stack.run(
        text(bounce()), in_sns(text(delivery())), text(bounce()), text(bounce(instance="deleted")), "rubbish"
    )
    assert answer == {"batchItemFailures": []}
    assert sorted(stack.sent()) == ["email.bounced", "email.delivered"]
    items = [from_item(item) for item in stack.dynamodb.scan(TableName="reputation")["Items"]]
    counters = {item["item"]: item for item in items if not item["item"].startswith("ledger#")}
    assert counters["feedback#2026-11-21T04"]["bounces"] == 1
    assert counters["deliveries#2026-11-21T04"]["deliveries"] == 1
    assert {item["instance_id"] for item in items} == {INSTANCE}


def test_an_event_beyond_all_measure_is_counted_like_any_other(stack: Stack) -> None:
    """Else it would take its neighbours round and round with it: keys and items have their limits."""
    huge = bounce(feedback_id="f" * 5_000, message_id="m" * 5_000, recipients=tuple("x" * 999 for _ in range(2_000)))
    assert stack.run(text(huge), text(bounce())) == {"batchItemFailures": []}
    counter = to_item({"instance_id": INSTANCE, "item": "feedback#2026-11-21T04"})
    answer = stack.dynamodb.get_item(TableName="reputation", Key=counter)
    assert from_item(answer["Item"])["bounces"] == 2_001
    assert stack.sent() == ["email.bounced", "email.bounced"]


def test_messages_come_again_when_the_table_refuses(stack: Stack) -> None:
    """Only those of the instance it happened to; nothing was sent for it."""
    stack.dynamodb.delete_table(TableName="reputation")
    assert stack.run(text(bounce()), "rubbish") == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    assert stack.sent() == []


def test_no_address_is_logged(stack: Stack, caplog: pytest.LogCaptureFixture) -> None:
    """Not of recipients, not of senders, whatever became of the event."""
    with caplog.at_level("INFO", "feedback"):
        stack.run(text(bounce()), text(delivery(instance="deleted")), text(bounce(instance=None)), "joe@shop.example")
    assert "bounce was counted" in caplog.messages
    assert len(caplog.messages) == 5
    assert not [record for record in caplog.records if "@" in str(vars(record))]


def test_the_line_of_an_instance_names_each_events_mail_and_deliveries(
    stack: Stack, caplog: pytest.LogCaptureFixture
) -> None:
    """What a trace follows: SES's message id to the webhook-ids, also of a delivery; none for an unwanted kind."""
    with caplog.at_level("INFO", "feedback"):
        stack.run(text(bounce(message_id="m-bounce")), text(delivery(message_id="m-delivery")), text(complaint()))
    (line,) = (line for line in map(_ids, caplog.records) if line.getMessage() == "events recorded")
    sent = {one.message_id: one.id for one in stack.deliveries()}
    [[instance, events]] = line.instances
    assert instance == INSTANCE
    assert ("m-bounce", "bounce", [sent["m-bounce"]]) in events
    assert ("m-delivery", "delivery", [sent["m-delivery"]]) in events
    assert [ids for _, kind, ids in events if kind == "complaint"] == [[]]


def test_a_line_holds_a_hundred_events_at_most(stack: Stack, caplog: pytest.LogCaptureFixture) -> None:
    """CloudWatch cuts lines of more than 256 KB."""
    with caplog.at_level("INFO", "feedback"):
        stack.run(*(text(delivery(message_id=f"m-{number}")) for number in range(101)))
    lines = [line for line in map(_ids, caplog.records) if line.getMessage().endswith(" recorded")]
    sizes = [sum(len(events) for _, events in line.instances) for line in lines]
    assert sizes == [100, 1]


def test_an_event_alone_has_a_line_with_fields_that_can_be_queried(
    stack: Stack, caplog: pytest.LogCaptureFixture
) -> None:
    """As on a quiet platform, where people read logs."""
    with caplog.at_level("INFO", "feedback"):
        stack.run(text(bounce(message_id="m-bounce")))
    (line,) = (line for line in map(_ids, caplog.records) if line.getMessage() == "event recorded")
    (sent,) = stack.deliveries()
    assert (line.instance_id, line.type, line.message_id) == (INSTANCE, "bounce", "m-bounce")
    assert line.delivery_ids == [sent.id]


def _ids(record: logging.LogRecord) -> Any:
    """A log record with the fields that a line adds."""
    return record


def test_metrics_and_log_lines_are_the_feedback_functions(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    """Alarms look for the namespace, log queries for the service; every message of the batch is counted."""
    stack.run(text(bounce()), "rubbish")
    [line] = [line for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    metrics = json.loads(line)
    [described] = metrics["_aws"]["CloudWatchMetrics"]
    assert (described["Namespace"], metrics["service"]) == ("SesFeedback", "feedback")
    assert (metrics["MessagesRead"], metrics["InvalidMessages"], metrics["BouncesCounted"]) == ([2.0], [1.0], [1.0])
    assert feedback.logger.service == "feedback"
