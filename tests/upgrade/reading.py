"""Reads everything that a release stores, by the code of this checkout."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from lambdas.aws.dynamodb.attribute_values import from_item
from lambdas.aws.dynamodb.backlog.archive import Archive
from lambdas.aws.dynamodb.backlog.backlog import Backlog
from lambdas.aws.dynamodb.broker.broker_table import BrokerTable
from lambdas.aws.dynamodb.reputation.reputation_table import ReputationTable
from lambdas.aws.dynamodb.reputation.sending_status_table import SendingStatusTable
from lambdas.aws.dynamodb.webhooks.webhook_states import WebhookStates
from lambdas.aws.dynamodb.webhooks.webhook_table import WebhookTable
from lambdas.aws.sqs import delivery_queue, operations_queue, replay_queue
from tests.aws.tables import create_backlog, dynamodb_with

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

FOLDER = Path(__file__).parent / "1.0.0"
TABLES = ("broker", "webhooks", "reputation", "backlog")
DECODERS = {
    "deliveries": delivery_queue.decode,
    "operations": operations_queue.decode,
    "replays": replay_queue.decode,
}
_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@contextmanager
def loaded(items: dict[str, list[Any]]) -> Iterator["DynamoDBClient"]:
    """A DynamoDB with the release's items in its tables."""
    with dynamodb_with("webhooks", "reputation") as client:
        create_backlog(client, "broker")
        create_backlog(client, "backlog")
        for table in TABLES:
            for item in items[table]:
                client.put_item(TableName=table, Item=with_bytes(item))
        yield client


def with_bytes(value: Any) -> Any:
    """A value of a JSON file, with bytes where `plain` wrote base64."""
    if isinstance(value, dict):
        if set(value) == {"base64"}:
            return base64.b64decode(value["base64"])
        return {name: with_bytes(one) for name, one in value.items()}
    return [with_bytes(one) for one in value] if isinstance(value, list) else value


def plain(value: Any) -> Any:
    """A value with base64 in place of bytes, for a JSON file."""
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list) else value


def read_all(client: "DynamoDBClient", tables: dict[str, str]) -> dict[str, Any]:
    """What the repositories read from *tables* (names by logical names), as JSON: by kind and id."""
    found = {
        **_broker(BrokerTable(client, tables["broker"])),
        **_webhooks(client, tables),
        **_reputation(client, tables),
    }
    written: dict[str, Any] = json.loads(msgspec.json.encode(found, order="deterministic"))  # sets sorted
    return written


def _broker(table: BrokerTable) -> dict[str, Any]:
    instances = {one.id: one for one in table.instances()}
    bindings = {
        binding_id: table.binding(one.id, binding_id) for one in instances.values() for binding_id in one.bindings
    }
    owners = {binding_id: table.instance_of_binding(binding_id) for binding_id in bindings}
    claims = {one.domain: table.claims_related(one.domain) for one in instances.values() if one.domain}
    return {"instances": instances, "bindings": bindings, "owners": owners, "claims": claims}


def _webhooks(client: "DynamoDBClient", tables: dict[str, str]) -> dict[str, Any]:
    states, backlog = WebhookStates(client, tables["webhooks"]), Backlog(client, tables["backlog"])
    audiences, archive = WebhookTable(client, tables["webhooks"]), Archive(client, tables["backlog"])
    targets = [target for target, _ in states.every()]
    return {
        "targets": {target.webhook_id: target for target in targets},
        "audiences": {target.instance_id: audiences.audience(target.instance_id) for target in targets},
        "parked": {
            target.webhook_id: [
                parked.batch
                for partition in backlog.partitions(target.instance_id, target.webhook_id)
                for parked in backlog.read(partition)
            ]
            for target in targets
        },
        "archived": {
            target.webhook_id: list(archive.since(target.instance_id, target.webhook_id, _LONG_AGO))
            for target in targets
        },
    }


def _reputation(client: "DynamoDBClient", tables: dict[str, str]) -> dict[str, Any]:
    statuses, counters = SendingStatusTable(client, tables["reputation"]), ReputationTable(client, tables["reputation"])
    ids = sorted(set(_instances(client, tables["reputation"])))
    return {
        "statuses": {one: statuses.load(one) for one in ids},
        "histories": {one: statuses.history(one) for one in ids},
        "hours": {one: list(counters.hours(one, since="2020")) for one in ids},
        "ledgers": {one: list(counters.entries(one)) for one in ids},
    }


def _instances(client: "DynamoDBClient", table: str) -> Iterator[str]:
    for page in client.get_paginator("scan").paginate(TableName=table):
        for item in page["Items"]:
            instance_id = str(from_item(item)["instance_id"])
            if "#" not in instance_id:
                yield instance_id


def lacking(expected: Any, actual: Any, path: str = "") -> list[str]:
    """Where *actual* lacks something of *expected*, or has another value; what is new in *actual* is fine."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        missing = [f"{path}/{name}" for name in expected if name not in actual]
        shared = [name for name in expected if name in actual]
        return missing + [found for name in shared for found in lacking(expected[name], actual[name], f"{path}/{name}")]
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = enumerate(zip(expected, actual, strict=True))
        return [found for number, (one, other) in pairs for found in lacking(one, other, f"{path}[{number}]")]
    return [] if expected == actual else [f"{path}: {expected!r} became {actual!r}"]
