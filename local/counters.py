"""Counters of an instance in the reputation table."""

from collections.abc import Mapping
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from local.clients import Clients

NAMES = ("deliveries", "bounces", "complaints")


class NoInstance(Exception):
    """There is no such instance; the message says where to look."""


def has_instance(facts: Mapping[str, Any], instance_id: str) -> bool:
    """Whether the pipeline knows the instance. *facts* is `stack.json`."""
    dynamodb = Clients(facts["aws_endpoint_url"], facts["region"]).client("dynamodb")
    key = {"instance_id": {"S": instance_id}, "item": {"S": "instance"}}
    return "Item" in dynamodb.get_item(TableName=facts["tables"]["webhooks"], Key=key, ConsistentRead=True)


def counters(facts: Mapping[str, Any], instance_id: str) -> dict[str, int]:
    """The sums of an instance's counters over all hours. *facts* is `stack.json`."""
    dynamodb = Clients(facts["aws_endpoint_url"], facts["region"]).client("dynamodb")
    pages = dynamodb.get_paginator("query").paginate(
        TableName=facts["tables"]["reputation"],
        KeyConditionExpression="instance_id = :instance",
        ExpressionAttributeValues={":instance": {"S": instance_id}},
        ConsistentRead=True,
    )
    sums = dict.fromkeys(NAMES, 0)
    read = TypeDeserializer().deserialize
    for item in (item for page in pages for item in page["Items"]):
        if item["item"]["S"].startswith(("feedback#", "deliveries#")):
            for name in NAMES:
                sums[name] += int(read(item.get(name, {"N": "0"})))
    return sums
