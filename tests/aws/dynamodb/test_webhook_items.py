"""The broker's side of the webhooks table: what it writes, the pipeline reads."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest

from lambdas.aws.dynamodb.attribute_values import from_item, to_item
from lambdas.aws.dynamodb.webhooks.instance_list import InstanceList
from lambdas.aws.dynamodb.webhooks.webhook_items import WebhookContended, WebhookItems
from lambdas.aws.dynamodb.webhooks.webhook_states import WebhookStates
from lambdas.aws.dynamodb.webhooks.webhook_table import WebhookTable, webhook_key
from lambdas.domain.errors import VersionConflict
from lambdas.domain.reputation.ledger import COUNTERS_KEPT
from lambdas.domain.tenants.instance import WebhookSettings
from lambdas.domain.webhooks.audience import Audience
from lambdas.domain.webhooks.webhook import EventKind, NotificationFormat, Scope, WebhookId
from tests.aws.tables import dynamodb_with

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

SETTINGS = WebhookSettings(
    url="https://app.example.gov/",
    events=(EventKind.BOUNCE, EventKind.REJECT),
    format=NotificationFormat.CLOUDEVENTS,
    scope=Scope.BINDING,
    ciphertext=b"\x00\xff",
    batch=10,
    batch_seconds=5,
)


@pytest.fixture
def dynamodb() -> Iterator["DynamoDBClient"]:
    """An empty table."""
    with dynamodb_with("webhooks") as client:
        yield client


NOW = datetime(2026, 11, 21, 5, 30, tzinfo=UTC)
FACTS: dict[str, Any] = {"domain": "agency.gov", "organization": "org-1"}


@pytest.fixture
def items(dynamodb: "DynamoDBClient") -> WebhookItems:
    """The adapter."""
    return WebhookItems(dynamodb, "webhooks")


def test_what_is_written_is_what_the_pipeline_reads(items: WebhookItems, dynamodb: "DynamoDBClient") -> None:
    """Who is told of what, once notifications are on."""
    items.set_notifications("i1", enabled=False, **FACTS)
    items.put("i1", "w1", SETTINGS, binding_id="b1")
    table = WebhookTable(dynamodb, "webhooks")
    audience = table.audience("i1")
    assert audience is not None
    assert audience.webhooks == ()
    items.set_notifications("i1", enabled=True, **FACTS)
    audience = table.audience("i1")
    assert audience is not None
    [webhook] = audience.webhooks
    assert (webhook.id, webhook.events, webhook.format) == ("w1", frozenset(SETTINGS.events), SETTINGS.format)
    assert webhook.wants(EventKind.BOUNCE, sender="b1")
    assert not webhook.wants(EventKind.BOUNCE, sender="b2")


def test_turning_notifications_on_leaves_what_others_wrote(items: WebhookItems, dynamodb: "DynamoDBClient") -> None:
    """An operator's baseline, for one."""
    dynamodb.put_item(
        TableName="webhooks",
        Item=to_item({"instance_id": "i1", "item": "instance", "notifications": False, "baseline": "2026-11-21"}),
    )
    items.set_notifications("i1", enabled=True, **FACTS)
    key = to_item({"instance_id": "i1", "item": "instance"})
    assert from_item(dynamodb.get_item(TableName="webhooks", Key=key)["Item"])["baseline"] == "2026-11-21"


def test_a_webhook_is_shared_and_goes_with_its_last_binding(items: WebhookItems, dynamodb: "DynamoDBClient") -> None:
    """Joining and leaving twice is once; whoever left is still a sender whose late events are its."""
    assert items.join("i1", "w1", "b2") is False
    items.put("i1", "w1", SETTINGS, binding_id="b1")
    for _ in range(2):
        assert items.join("i1", "w1", "b2") is True
    kept = items.get("i1", "w1")
    assert kept is not None
    assert (kept.settings, kept.bindings) == (SETTINGS, ("b1", "b2"))
    for _ in range(2):
        assert items.leave("i1", "w1", "b1") is False
    audience = WebhookTable(dynamodb, "webhooks")._items("i1")
    assert [item["senders"] for item in audience] == [["b1", "b2"]]
    for _ in range(2):
        assert items.leave("i1", "w1", "b2") is True
    assert items.get("i1", "w1") is None


def test_leaving_while_another_joins_loses_neither(items: WebhookItems) -> None:
    """The write is conditional on what was read, and tried again."""
    items.put("i1", "w1", SETTINGS, binding_id="b1")
    read = items._item

    def raced(instance_id: str, webhook_id: str) -> object:
        found = read(instance_id, webhook_id)
        with patch.object(items, "_item", read):
            items.join("i1", "w1", "b2")
        return found

    with patch.object(items, "_item", raced):
        assert items.leave("i1", "w1", "b1") is False
    kept = items.get("i1", "w1")
    assert kept is not None
    assert kept.bindings == ("b2",)
    with patch.object(items, "_leave", lambda *_, **__: False), pytest.raises(WebhookContended):
        items.leave("i1", "w1", "b2")


def test_a_change_moves_the_version_on_and_keeps_the_health(items: WebhookItems, dynamodb: "DynamoDBClient") -> None:
    """What the last test said is stale; a webhook that is gone stays gone."""
    items.put("i1", "w1", SETTINGS, binding_id="b1")
    key = to_item(webhook_key("i1", WebhookId("w1")))
    dynamodb.update_item(
        TableName="webhooks",
        Key=key,
        UpdateExpression="SET health = :h, test_result = :t",
        ExpressionAttributeValues=to_item({":h": {"state": "failing"}, ":t": {"status": "200", "at": "now"}}),
    )
    kept = items.get("i1", "w1")
    assert kept is not None
    assert (kept.test_status, kept.test_at) == ("200", "now")
    changed = replace(SETTINGS, url="https://other.example.gov/", ciphertext=b"\x01")
    items.change("i1", "w1", changed, before=SETTINGS.ciphertext)
    kept = items.get("i1", "w1")
    assert kept is not None
    assert (kept.settings, kept.test_status) == (changed, None)
    item = from_item(dynamodb.get_item(TableName="webhooks", Key=key)["Item"])
    assert (item["version"], item["health"]) == (2, {"state": "failing"})
    items.change("i1", "w9", changed, before=SETTINGS.ciphertext)
    assert items.get("i1", "w9") is None


def test_a_change_does_not_bring_a_replaced_secret_back(items: WebhookItems) -> None:
    """The secret was rotated after the webhook was read: read it again."""
    items.put("i1", "w1", SETTINGS, binding_id="b1")
    assert items.replace_secret("i1", "w1", before=SETTINGS.ciphertext, after=b"rotated", until=NOW, now=NOW)
    with pytest.raises(VersionConflict):
        items.change("i1", "w1", replace(SETTINGS, batch=20), before=SETTINGS.ciphertext)
    kept = items.get("i1", "w1")
    assert kept is not None
    assert (kept.settings.ciphertext, kept.settings.batch) == (b"rotated", 10)


def test_digests_are_kept_without_a_secret(items: WebhookItems) -> None:
    """They go through a topic."""
    items.put("i1", "email-b1", replace(SETTINGS, format=NotificationFormat.EMAIL, ciphertext=b""), binding_id="b1")
    kept = items.get("i1", "email-b1")
    assert kept is not None
    assert kept.settings.ciphertext == b""


def test_a_deleted_instance_keeps_what_counts_its_events_in_flight(
    items: WebhookItems, dynamodb: "DynamoDBClient"
) -> None:
    """For as long as its counters; its webhooks go, and nothing of another's."""
    for instance in ("i1", "i2"):
        items.set_notifications(instance, enabled=True, **FACTS)
        items.put(instance, "w1", SETTINGS, binding_id="b1")
    for _ in range(2):
        items.retire_instance("i1", **FACTS, now=NOW)
    left = [from_item(item) for item in dynamodb.scan(TableName="webhooks")["Items"]]
    assert sorted((item["instance_id"], item["item"]) for item in left) == [
        ("i1", "instance"),
        ("i2", "instance"),
        ("i2", "webhook#w1"),
    ]
    [deleted] = [item for item in left if item["instance_id"] == "i1"]
    assert deleted["expires_at"] == int((NOW + COUNTERS_KEPT).timestamp())
    audience = WebhookTable(dynamodb, "webhooks").audience("i1")
    assert audience == Audience(
        instance_id="i1",
        webhooks=(),
        baseline=None,
        domain="agency.gov",
        organization="org-1",
        deleted=True,
        deleted_at=NOW,
    )
    assert list(InstanceList(dynamodb, "webhooks").part(0, of=1)) == ["i2"]


def test_an_instance_of_an_earlier_version_is_retired_with_its_domain(
    items: WebhookItems, dynamodb: "DynamoDBClient"
) -> None:
    """Its item had none; an instance that was never made gets one too, and nothing fails."""
    items.retire_instance("old", **FACTS, now=NOW)
    audience = WebhookTable(dynamodb, "webhooks").audience("old")
    assert audience is not None
    assert (audience.domain, audience.organization, audience.deleted) == ("agency.gov", "org-1", True)


def test_an_instance_made_anew_under_a_deleted_ones_id_does_not_expire(
    items: WebhookItems, dynamodb: "DynamoDBClient"
) -> None:
    """DynamoDB would remove a living instance."""
    items.retire_instance("i1", **FACTS, now=NOW)
    items.set_notifications("i1", enabled=True, domain="other.gov", organization="org-2")
    [item] = map(from_item, dynamodb.scan(TableName="webhooks")["Items"])
    assert "expires_at" not in item
    audience = WebhookTable(dynamodb, "webhooks").audience("i1")
    assert audience is not None
    assert (audience.domain, audience.organization, audience.deleted) == ("other.gov", "org-2", False)


def test_an_instance_keeps_the_time_it_was_created_at_until_it_is_deleted(
    items: WebhookItems, dynamodb: "DynamoDBClient"
) -> None:
    """A repeated provision and an update do not change it; one made anew under the same id is new."""

    def created_at() -> datetime | None:
        audience = WebhookTable(dynamodb, "webhooks").audience("i1")
        assert audience is not None
        return audience.created_at

    later = NOW + timedelta(hours=1)
    items.set_notifications("i1", enabled=True, **FACTS, created_at=NOW)
    items.set_notifications("i1", enabled=True, **FACTS, created_at=later)
    items.set_notifications("i1", enabled=False, **FACTS)
    assert created_at() == NOW
    items.retire_instance("i1", **FACTS, now=later)
    assert created_at() is None
    items.set_notifications("i1", enabled=True, **FACTS, created_at=later)
    assert created_at() == later


def test_a_new_secret_signs_beside_the_former_one_for_a_time(items: WebhookItems, dynamodb: "DynamoDBClient") -> None:
    """Not over another change, and not while an earlier secret still signs."""
    items.put("i1", "w1", SETTINGS, binding_id="b1")
    later, end = NOW + timedelta(hours=24), NOW + timedelta(hours=48)
    assert not items.replace_secret("i1", "w1", before=b"other", after=b"new", until=later, now=NOW)
    assert not items.replace_secret("i1", "w2", before=b"", after=b"new", until=later, now=NOW)
    assert items.replace_secret("i1", "w1", before=SETTINGS.ciphertext, after=b"new", until=later, now=NOW)
    [target] = WebhookStates(dynamodb, "webhooks").load([("i1", WebhookId("w1"))], now=NOW).values()
    assert target.ciphertexts(now=NOW) == (b"new", SETTINGS.ciphertext)
    assert target.ciphertexts(now=later) == (b"new",)
    assert not items.replace_secret("i1", "w1", before=b"new", after=b"newer", until=end, now=NOW + timedelta(hours=1))
    assert items.replace_secret("i1", "w1", before=b"new", after=b"newer", until=end, now=later)
