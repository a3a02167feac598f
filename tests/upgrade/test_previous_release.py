"""The previous release reads what this one writes: both run during a deployment, and a rollback brings it back."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lambdas.aws.dynamodb.backlog.archive import Archive
from lambdas.aws.dynamodb.backlog.backlog import Backlog
from lambdas.aws.dynamodb.broker.broker_table import BrokerTable
from lambdas.aws.dynamodb.webhooks.webhook_items import WebhookItems
from lambdas.aws.sqs import delivery_queue
from lambdas.domain import schema
from lambdas.domain.tenants.instance import (
    Binding,
    BindingState,
    BindRequest,
    Instance,
    InstanceState,
    Operation,
    OperationKind,
    OperationState,
    SesParameters,
    WebhookSettings,
)
from lambdas.domain.webhooks.delivery import Delivery, DeliveryBatch
from lambdas.domain.webhooks.webhook import EventKind, NotificationFormat, Scope, WebhookId
from local.process import ROOT
from tests.upgrade.as_read import shapes
from tests.upgrade.previous import unpack
from tests.upgrade.reading import TABLES, lacking, loaded, plain, read_all

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

NOW = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)
STORED_OTHERWISE = {  # enumerations with values that an adapter does not write as they are
    "OperationKind": {OperationKind.RELEASE.value},  # broker_table._as_stored
}
INSTANCE = Instance(
    id="i1",
    service_id="s",
    plan_id="p",
    organization_guid="org-1",
    space_guid="space",
    state=InstanceState.READY,
    operation=Operation(id="provision-1", kind=OperationKind.PROVISION, started_at=NOW, touched_at=NOW),
    ses=SesParameters(admin_email="a@b.cc"),
    domain="agency.gov",
)
REQUEST = BindRequest(
    service_id="s",
    plan_id="p",
    notification_webhook="https://shop.example/hook",
    notification_batch=10,
    notification_batch_seconds=5,
)
BINDING = Binding(
    id="b1",
    instance_id="i1",
    state=BindingState.READY,
    request=REQUEST,
    effective=REQUEST,
    created_at=NOW,
    webhook_id="b1",
    ciphertext=b"secret",
)
WEBHOOK = WebhookSettings(
    url="https://shop.example/hook",
    events=(EventKind.BOUNCE,),
    format=NotificationFormat.STANDARD_WEBHOOKS,
    scope=Scope.INSTANCE,
    ciphertext=b"secret",
    batch=10,
    batch_seconds=5,
)
BATCH = DeliveryBatch(
    instance_id="i1",
    webhook_id=WebhookId("b1"),
    attempt=2,
    deliveries=(
        Delivery(
            id="msg_1",
            type="email.bounced",
            timestamp=NOW,
            created_at=NOW,
            format=NotificationFormat.STANDARD_WEBHOOKS,
            body="{}",
            headers={},
            message_id="m-1",
        ),
    ),
    fixed=True,
    refused=1,
)


def written() -> dict[str, list[Any]]:
    """Items of everything that this release stores and the previous one did not, by table."""
    with loaded({table: [] for table in TABLES}) as client:
        _write(client)
        return {table: [plain(item) for item in client.scan(TableName=table)["Items"]] for table in TABLES}


def _write(client: "DynamoDBClient") -> None:
    broker = BrokerTable(client, "broker")
    made = broker.save_instance(INSTANCE, claim="agency.gov")
    broker.save_binding(BINDING, instances=[replace(made, bindings=("b1",))])
    held = broker.instance("i1")
    assert held is not None
    operation = Operation(
        id="release-1",
        kind=OperationKind.RELEASE,
        started_at=NOW,
        touched_at=NOW,
        state=OperationState.SUCCEEDED,
        reserved_for="org-2",
    )
    broker.save_instance(replace(held, operation=operation), release="agency.gov", reserve="org-2")
    webhooks = WebhookItems(client, "webhooks")
    webhooks.set_notifications("i1", enabled=True, domain="agency.gov", organization="org-1")
    webhooks.put("i1", "b1", WEBHOOK, binding_id="b1")
    Backlog(client, "backlog").park([(BATCH, NOW + timedelta(minutes=5))], now=NOW)
    Archive(client, "backlog").keep([BATCH], now=NOW)


def as_read_by_previous(folder: Path) -> dict[str, Any]:
    """What the previous release makes of it, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.upgrade.as_read"],
        cwd=unpack(folder),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input=json.dumps({"items": written(), "messages": {"deliveries": delivery_queue.encode(BATCH)}}),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


@pytest.fixture(scope="module")
def previous(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the previous release said."""
    return as_read_by_previous(tmp_path_factory.mktemp("previous"))


def test_the_previous_release_reads_every_item_that_this_one_writes(previous: dict[str, Any]) -> None:
    """With the same values, apart from what it does not know: batches, and that a domain was released."""
    with loaded(written()) as client:
        ours = read_all(client, {table: table for table in TABLES})
    theirs = previous["found"]
    assert theirs["instances"]["i1"]["operation"]["kind"] == "update"
    assert theirs["claims"]["agency.gov"][0]["instance_id"] == ""
    assert theirs["bindings"]["b1"]["request"]["notification_webhook"] == REQUEST.notification_webhook
    assert theirs["parked"]["b1"][0]["deliveries"][0]["id"] == "msg_1"
    assert theirs["archived"]["b1"][0]["deliveries"][0]["id"] == "msg_1"
    differences = lacking(theirs, ours)
    assert [one for one in differences if "/operation/kind" not in one] == []


def test_the_previous_release_reads_a_message_that_this_one_queued(previous: dict[str, Any]) -> None:
    """It delivers a batch's events one by one."""
    assert previous["messages"]["deliveries"]["deliveries"][0]["body"] == "{}"


def test_what_is_stored_as_json_keeps_its_shape(previous: dict[str, Any]) -> None:
    """New fields have defaults; no enumeration has a value that the previous release does not know.

    Another value or type needs two releases: CONTRIBUTING.md, "Change what is stored".
    """
    before, now = previous["shapes"], shapes()
    assert set(before) <= set(now)
    for name, shape in before.items():
        if "enum" in shape:
            assert set(now[name]["enum"]) - STORED_OTHERWISE.get(name, set()) <= set(shape["enum"]), name
            continue
        assert lacking(shape["properties"], now[name]["properties"]) == [], name
        assert set(now[name].get("required", ())) == set(shape.get("required", ())), name


def test_this_release_writes_what_the_previous_one_reads() -> None:
    """A version is read for one release before it is written."""
    assert schema.WRITES <= schema.READS <= schema.WRITES + 1
