"""The stack's tables in moto, for adapter tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3
from moto import mock_aws

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.literals import KeyTypeType

_KEY_TYPES: "tuple[KeyTypeType, ...]" = ("HASH", "RANGE")


@contextmanager
def dynamodb_with(*tables: str, keys: tuple[str, ...] = ("instance_id", "item")) -> Iterator["DynamoDBClient"]:
    """A DynamoDB that answers in memory, with empty tables of *keys*: the partition's and, if any, the sort key."""
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        for table in tables:
            create(client, table, keys)
        yield client


def create(client: "DynamoDBClient", table: str, keys: tuple[str, ...] = ("instance_id", "item")) -> None:
    """Make a table of *keys*."""
    client.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in zip(keys, _KEY_TYPES, strict=False)],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
    )


def create_backlog(client: "DynamoDBClient", table: str) -> None:
    """Make a backlog table, with its index of what is due."""
    client.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "shard", "due_at")
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "due",
                "KeySchema": [
                    {"AttributeName": "shard", "KeyType": "HASH"},
                    {"AttributeName": "due_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
