"""The deliveries queue."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import msgspec
import pytest
from moto import mock_aws

from lambdas.aws.sqs.delivery_queue import DeliveryQueue, QueueRefused, decode, encode
from tests.aws.dynamodb.test_backlog import batch

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


@pytest.fixture
def sqs() -> Iterator["SQSClient"]:
    """An SQS that answers in memory."""
    with mock_aws():
        yield boto3.client("sqs", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")


class Recorder:
    """An SQS that remembers its calls, and refuses entries with the body *refused*."""

    def __init__(self, refused: str = "") -> None:
        self.calls: list[list[dict[str, Any]]] = []
        self.refused = refused

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        self.calls.append(Entries)
        failed = [entry for entry in Entries if entry["MessageBody"] == self.refused]
        return {"Failed": [{"Id": entry["Id"], "Code": "InternalError"} for entry in failed]}


def test_a_batch_comes_out_as_it_went_in_with_its_webhook_as_group(sqs: "SQSClient") -> None:
    """To the byte."""
    url = sqs.create_queue(QueueName="deliveries")["QueueUrl"]
    DeliveryQueue(sqs, url).send([batch("a", "b", attempt=3, body='{"ü": 1}')])

    (message,) = sqs.receive_message(QueueUrl=url, MessageSystemAttributeNames=["MessageGroupId"])["Messages"]

    assert decode(message["Body"]) == batch("a", "b", attempt=3, body='{"ü": 1}')
    assert message["Attributes"]["MessageGroupId"] == "w1"


def test_calls_are_filled_up_to_what_sqs_takes() -> None:
    """Ten entries, or a megabyte."""
    client = Recorder()
    queue = DeliveryQueue(client, "url")  # type: ignore[arg-type]

    queue.send(batch(str(number)) for number in range(25))
    queue.send(batch(str(number), body="x" * 300_000) for number in range(7))

    assert [len(call) for call in client.calls] == [10, 10, 5, 3, 3, 1]
    assert all([entry["Id"] for entry in call] == [str(n) for n in range(len(call))] for call in client.calls)


def test_each_batch_has_its_own_delay_within_what_sqs_takes() -> None:
    """Whole seconds, 0 to 900."""
    client = Recorder()

    DeliveryQueue(client, "url").send_later([(batch("a"), 4.6), (batch("b"), -1), (batch("c"), 5000)])  # type: ignore[arg-type]

    assert [entry["DelaySeconds"] for entry in client.calls[0]] == [5, 0, 900]


def test_a_refused_entry_is_told() -> None:
    """The caller's messages come back, and everything is sent again under the same ids."""
    queue = DeliveryQueue(Recorder(refused=encode(batch("b"))), "url")  # type: ignore[arg-type]

    with pytest.raises(QueueRefused, match="InternalError"):
        queue.send([batch("a"), batch("b")])


@pytest.mark.parametrize("body", ["", "{}", "[]", "null", '{"instance_id": 1}'])
def test_what_is_no_batch_is_refused(body: str) -> None:
    """With an error that names the field."""
    with pytest.raises(msgspec.DecodeError):
        decode(body)
