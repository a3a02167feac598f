"""The handler a user would write first: for each event, post it to its webhook and count it, one after the other.

What everything else is measured against. It gets the kindest terms: batches of ten, one client for the process, the
webhooks' URLs known without a look-up, a timeout of 5 s where ours allows a receiver 15, and no signature, no second
try, no health, no address check.
"""

import json
import os
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
import requests

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

BATCH = 10  # SQS's default for Lambda
TIMEOUT = 5.0  # s


@cache
def _dynamodb() -> "DynamoDBClient":
    return boto3.client("dynamodb")


@cache
def _webhooks() -> dict[str, str]:
    urls: dict[str, str] = json.loads(os.environ["BASELINE_WEBHOOKS"])
    return urls


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Post and count each record; those that failed come back by SQS."""
    failed = []
    for record in event["Records"]:
        try:
            _feed(json.loads(record["body"]))
        except requests.RequestException:
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def _feed(feedback: dict[str, Any]) -> None:
    instance = feedback["mail"]["tags"]["ses:configuration-set"][0]
    kind = feedback["eventType"]
    body = {"type": kind, "message_id": feedback["mail"]["messageId"], "recipients": feedback["mail"]["destination"]}
    requests.post(_webhooks()[instance], json=body, timeout=TIMEOUT).raise_for_status()
    _dynamodb().update_item(
        TableName=os.environ["REPUTATION_TABLE"],
        Key={"instance_id": {"S": instance}, "item": {"S": feedback["mail"]["timestamp"][:13]}},
        UpdateExpression="ADD #kind :one",
        ExpressionAttributeNames={"#kind": kind},
        ExpressionAttributeValues={":one": {"N": "1"}},
    )
