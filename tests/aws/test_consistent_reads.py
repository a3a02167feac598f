"""What decides is read as it is now: an eventually consistent read may miss what was written a moment ago."""

from datetime import UTC, datetime
from typing import Any

import pytest

from lambdas.aws.dynamodb.attribute_values import to_item
from lambdas.aws.dynamodb.backlog.backlog import Backlog
from lambdas.aws.dynamodb.broker.broker_table import BrokerTable
from lambdas.aws.dynamodb.reputation.organization_table import OrganizationTable
from lambdas.aws.dynamodb.reputation.pause_marks import PauseMarks
from lambdas.aws.dynamodb.reputation.reputation_table import ReputationTable
from lambdas.aws.dynamodb.reputation.sending_status_table import SendingStatusTable
from lambdas.aws.dynamodb.webhooks.audiences import Audiences
from lambdas.aws.dynamodb.webhooks.webhook_items import WebhookItems
from lambdas.aws.dynamodb.webhooks.webhook_table import WebhookTable
from lambdas.domain.webhooks.delivery import Delivery, DeliveryBatch
from lambdas.domain.webhooks.webhook import NotificationFormat, WebhookId
from tests.aws.refusing import asked
from tests.aws.tables import create_backlog, dynamodb_with

NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
WEBHOOK = WebhookId("w1")
READS = {"GetItem", "Query", "BatchGetItem", "Scan"}


def read_backlog(client: Any) -> None:
    """Every read by which release decides; the index can only be read eventually, and is read through."""
    delivery = Delivery(
        id="a", type="t", timestamp=NOW, created_at=NOW, format=NotificationFormat.SNS, body="{}", headers={}
    )
    backlog = Backlog(client, "backlog", side_by_side=1)
    backlog.park(
        [(DeliveryBatch(instance_id="i1", webhook_id=WEBHOOK, attempt=1, deliveries=(delivery,)), NOW)], now=NOW
    )
    (partition,) = backlog.partitions("i1", WEBHOOK)
    backlog.quarantine(backlog.read(partition)[0])


def read_standing(client: Any) -> None:
    """Status, watched instances, history."""
    table = SendingStatusTable(client, "items")
    table.load("i1")
    table.watched()
    table.history("i1")


def read_shedding(client: Any) -> None:
    """Marks and members of organizations: what is overlooked is a pause that is shed."""
    marks, members = PauseMarks(client, "items"), OrganizationTable(client, "items")
    marks.on("agency.gov", now=NOW)
    marks.over("mail.agency.gov", now=NOW)
    list(marks.every_mark(now=NOW))
    list(members.members("org-1", now=NOW))


def read_reputation(client: Any) -> None:
    """Counters and ledger."""
    table = ReputationTable(client, "items")
    list(table.hours("i1", since=""))
    list(table.entries("i1"))


def read_webhooks(client: Any) -> None:
    """Webhooks as the broker and the pipeline read them."""
    items = WebhookItems(client, "items")
    items.get("i1", "w1")
    items.retire_instance("i1", domain="mail.agency.gov", organization="o1", now=NOW)
    client.put_item(TableName="items", Item=to_item({"instance_id": "i1", "item": "instance", "notifications": True}))
    Audiences(client, "items").of(["i1"])("i1")
    WebhookTable(client, "items").audience("i1")


def read_broker(client: Any) -> None:
    """Instances, bindings and claims."""
    table = BrokerTable(client, "backlog")
    table.instance("i1")
    table.binding("i1", "b1")
    table.instance_of_binding("b1")
    table.claims_related("mail.agency.gov")


@pytest.mark.parametrize(
    "read", [read_backlog, read_standing, read_shedding, read_reputation, read_webhooks, read_broker]
)
def test_every_read_that_decides_is_consistent(read: Any) -> None:
    """The embedded AWS and moto always are; DynamoDB is when it is asked to be."""
    with dynamodb_with("items") as client:
        create_backlog(client, "backlog")
        calls = asked(client)
        read(client)
    reads = [(name, params) for name, params in calls if name in READS and "IndexName" not in params]
    assert reads
    for name, params in reads:
        tables = params["RequestItems"].values() if name == "BatchGetItem" else [params]
        assert all(table.get("ConsistentRead") is True for table in tables), (name, params)
