"""What a later release wrote is neither misread nor overwritten nor lost, for instance after a rollback."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from lambdas.aws.dynamodb.attribute_values import from_item, new_item, to_item
from lambdas.aws.dynamodb.backlog.backlog import Backlog
from lambdas.aws.dynamodb.broker.broker_table import BrokerTable
from lambdas.aws.dynamodb.webhooks.webhook_items import WebhookItems
from lambdas.aws.dynamodb.webhooks.webhook_states import WebhookStates
from lambdas.aws.dynamodb.webhooks.webhook_table import WebhookTable
from lambdas.domain import schema
from lambdas.domain.errors import VersionConflict
from lambdas.domain.schema import NewerSchema
from lambdas.domain.webhooks.webhook import WebhookId
from ops.troubleshooting.contents import contents
from tests.upgrade.reading import DECODERS, TABLES, loaded
from tests.upgrade.test_previous_release import INSTANCE, NOW, WEBHOOK, written

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

NEWER = schema.READS + 1


@pytest.fixture
def dynamodb() -> Iterator["DynamoDBClient"]:
    """Every item of this release, as if the next one had written it in another shape."""
    with loaded(written()) as client:
        for table in TABLES:
            for item in client.scan(TableName=table)["Items"]:
                if schema.ATTRIBUTE in item:
                    client.put_item(TableName=table, Item={**item, **to_item({schema.ATTRIBUTE: NEWER})})
        yield client


def stored(client: "DynamoDBClient") -> dict[str, Any]:
    """All items."""
    return {table: client.scan(TableName=table)["Items"] for table in TABLES}


def test_an_item_without_a_version_is_of_version_1() -> None:
    """1.0.0 wrote none."""
    assert from_item(to_item({"pk": "a"})) == {"pk": "a"}


def test_new_items_carry_the_version_that_is_written() -> None:
    """In one attribute."""
    assert from_item(new_item({"pk": "a"})) == {"pk": "a", "schema": schema.WRITES}


def test_an_attribute_of_that_name_inside_a_value_is_no_version() -> None:
    """Only the item's own counts."""
    assert from_item(to_item({"value": {"schema": NEWER}})) == {"value": {"schema": NEWER}}


ACCESSES: dict[str, Callable[["DynamoDBClient"], object]] = {
    "an instance is read": lambda client: BrokerTable(client, "broker").instance("i1"),
    "instances are listed": lambda client: list(BrokerTable(client, "broker").instances()),
    "a binding is read": lambda client: BrokerTable(client, "broker").binding("i1", "b1"),
    "claims are read": lambda client: BrokerTable(client, "broker").claims_related("agency.gov"),
    "an audience is read": lambda client: WebhookTable(client, "webhooks").audience("i1"),
    "a webhook is read": lambda client: WebhookStates(client, "webhooks").load([("i1", WebhookId("b1"))], now=NOW),
    "parked deliveries are read": lambda client: [
        Backlog(client, "backlog").read(partition)
        for partition in Backlog(client, "backlog").partitions("i1", WebhookId("b1"))
    ],
    "notifications are set": lambda client: WebhookItems(client, "webhooks").set_notifications(
        "i1", enabled=False, domain="agency.gov", organization="org-1"
    ),
    "an instance is retired": lambda client: WebhookItems(client, "webhooks").retire_instance(
        "i1", domain="agency.gov", organization="org-1", now=NOW
    ),
    "a webhook is written": lambda client: WebhookItems(client, "webhooks").put("i1", "b1", WEBHOOK, binding_id="b2"),
    "a webhook is changed": lambda client: WebhookItems(client, "webhooks").change(
        "i1", "b1", WEBHOOK, before=b"secret"
    ),
    "a binding joins a webhook": lambda client: WebhookItems(client, "webhooks").join("i1", "b1", "b2"),
    "a binding leaves a webhook": lambda client: WebhookItems(client, "webhooks").leave("i1", "b1", "b1"),
}


@pytest.mark.parametrize("access", ACCESSES.values(), ids=ACCESSES)
def test_a_newer_item_is_refused_and_stays_as_it_is(
    dynamodb: "DynamoDBClient", access: Callable[["DynamoDBClient"], object]
) -> None:
    """With an error that says which release is needed."""
    before = stored(dynamodb)
    with pytest.raises(NewerSchema, match=f"schema version {NEWER} is newer than {schema.READS}"):
        access(dynamodb)
    assert stored(dynamodb) == before


def test_an_item_of_this_version_is_written_over(dynamodb: "DynamoDBClient") -> None:
    """So that the test above can fail."""
    webhooks = WebhookItems(dynamodb, "webhooks")
    webhooks.put("i2", "b3", WEBHOOK, binding_id="b3")
    webhooks.put("i2", "b3", WEBHOOK, binding_id="b4")
    webhooks.change("i2", "b3", WEBHOOK, before=b"secret")
    assert webhooks.join("i2", "b3", "b5")
    kept = webhooks.get("i2", "b3")
    assert kept is not None
    assert kept.bindings == ("b4", "b5")
    assert not webhooks.join("i2", "unknown", "b5")


def test_a_record_that_a_later_release_rewrote_is_not_overwritten(dynamodb: "DynamoDBClient") -> None:
    """Its number of writes has changed since this release read it."""
    before = stored(dynamodb)
    with pytest.raises(VersionConflict):
        BrokerTable(dynamodb, "broker").save_instance(INSTANCE)
    assert stored(dynamodb) == before


@pytest.mark.parametrize("queue", sorted(DECODERS))
def test_a_newer_message_is_refused_before_it_is_read(queue: str) -> None:
    """Whatever else it holds. The handlers return it to its queue."""
    with pytest.raises(NewerSchema):
        DECODERS[queue](f'{{"schema":{NEWER},"deliveries":"in another form"}}')


@pytest.mark.parametrize("queue", ["deliveries_dlq", "operations_dlq"])
def test_a_newer_message_in_a_dead_letter_queue_is_named(queue: str) -> None:
    """`ops dlq show` says that a later release wrote it."""
    assert contents(queue, f'{{"schema":{NEWER}}}')["about"] == "written by a later release"
