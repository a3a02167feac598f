"""The AWS stub counts as AWS bills, and answers what the pipeline reads."""

import json
from typing import Any

from benchmarks.aws_stub import Stub
from benchmarks.raw_http import Request


def call(stub: Stub, target: str, **asked: object) -> Any:
    headers = {b"x-amz-target": target.encode()}
    return json.loads(stub.answer(Request("POST", "/", headers, json.dumps(asked).encode())).body)


KEY = {"instance_id": {"S": "i"}, "item": {"S": "a"}}


def test_an_item_is_read_back_and_billed_by_its_size() -> None:
    """A write unit a KB, half a read unit for 4 KB that may be stale."""
    stub = Stub()

    call(stub, "DynamoDB_20120810.PutItem", TableName="webhooks", Item={**KEY, "url": {"S": "x" * 1_500}})
    found = call(stub, "DynamoDB_20120810.GetItem", TableName="webhooks", Key=KEY)

    assert len(found["Item"]["url"]["S"]) == 1_500
    assert stub.counts["dynamodb.write_units.webhooks"] == 2
    assert stub.counts["dynamodb.half_read_units"] == 1


def test_a_transaction_costs_twice_and_a_consistent_read_too() -> None:
    """AWS's rules."""
    stub = Stub()

    put = {"Put": {"TableName": "reputation", "Item": KEY}}
    call(stub, "DynamoDB_20120810.TransactWriteItems", TransactItems=[put, put])
    call(stub, "DynamoDB_20120810.GetItem", TableName="reputation", Key=KEY, ConsistentRead=True)

    assert stub.counts["dynamodb.write_units.reputation"] == 4
    assert stub.counts["dynamodb.half_read_units"] == 2


def test_health_that_is_written_is_read_back() -> None:
    """Or no benchmark could learn which webhook hangs."""
    stub = Stub()
    call(stub, "DynamoDB_20120810.PutItem", TableName="webhooks", Item=KEY)

    call(
        stub,
        "DynamoDB_20120810.UpdateItem",
        TableName="webhooks",
        Key=KEY,
        UpdateExpression="SET health = :health",
        ExpressionAttributeValues={":health": {"S": "failing"}},
    )

    found = call(stub, "DynamoDB_20120810.GetItem", TableName="webhooks", Key=KEY)
    assert found["Item"]["health"] == {"S": "failing"}


def test_sqs_is_billed_by_64_kb_and_a_delayed_message_is_not_visible() -> None:
    """Two small messages are one request, a large one several."""
    stub = Stub()
    url = "http://127.0.0.1/000000000000/deliveries"

    entries = [{"Id": "0", "MessageBody": "a"}, {"Id": "1", "MessageBody": "b", "DelaySeconds": 900}]
    call(stub, "AmazonSQS.SendMessageBatch", QueueUrl=url, Entries=entries)
    call(stub, "AmazonSQS.SendMessage", QueueUrl=url, MessageBody="c" * 100_000)

    body = json.dumps({"queue": "deliveries", "limit": 10}).encode()
    received = json.loads(stub.answer(Request("POST", "/_stub/receive", {}, body)).body)
    assert stub.counts["sqs.requests"] == 3
    assert [message[:1] for message in received] == ["a", "c"]
