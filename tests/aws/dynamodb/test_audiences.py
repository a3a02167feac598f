"""Audiences of a batch: as they are now, without reading what did not change."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from lambdas.aws.dynamodb.webhooks import audiences
from lambdas.aws.dynamodb.webhooks.audiences import Audiences, Unread
from lambdas.aws.dynamodb.webhooks.baseline import Baselines
from lambdas.aws.dynamodb.webhooks.webhook_items import WebhookItems
from lambdas.domain.tenants.instance import WebhookSettings
from lambdas.domain.webhooks.webhook import EventKind, NotificationFormat, Scope
from tests.aws.tables import dynamodb_with

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

NOW = datetime(2026, 11, 21, 4, tzinfo=UTC)
SETTINGS = WebhookSettings(
    url="https://app.example/hook",
    events=(EventKind.BOUNCE,),
    format=NotificationFormat.SNS,
    scope=Scope.INSTANCE,
    ciphertext=b"x",
)


class Counting:
    """A client that counts calls, and may leave keys unread."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self._client = client
        self.calls: list[str] = []
        self.unread = 0

    def batch_get_item(self, **call: Any) -> Any:
        """As DynamoDB does, or not."""
        self.calls.append("batch")
        if self.unread:
            self.unread -= 1
            return {"Responses": {}, "UnprocessedKeys": call["RequestItems"]}
        return self._client.batch_get_item(**call)

    def get_paginator(self, name: str) -> Any:
        """As DynamoDB does."""
        self.calls.append("query")
        return self._client.get_paginator(name)  # type: ignore[call-overload]


FACTS: dict[str, Any] = {"domain": "agency.gov", "organization": "org-1"}


@pytest.fixture
def dynamodb() -> Iterator["DynamoDBClient"]:
    """A webhooks table with instances i1 and i2."""
    with dynamodb_with("webhooks") as client:
        for name in ("i1", "i2"):
            WebhookItems(client, "webhooks").set_notifications(name, enabled=True, **FACTS)
        yield client


@pytest.fixture
def counting(dynamodb: "DynamoDBClient") -> Counting:
    """The client that is watched."""
    return Counting(dynamodb)


@pytest.fixture
def known(counting: Counting) -> Audiences:
    """A process's audiences."""
    return Audiences(counting, "webhooks")  # type: ignore[arg-type]


def webhooks(known: Audiences, instance_id: str = "i1") -> list[str]:
    """The ids of an instance's webhooks, by a batch of both instances."""
    audience = known.of(["i1", "i2"])(instance_id)
    assert audience is not None
    return sorted(webhook.id for webhook in audience.webhooks)


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (lambda items: items.put("i1", "w2", SETTINGS, binding_id="b2"), ["w1", "w2"]),
        (lambda items: items.leave("i1", "w1", "b1"), []),
        (lambda items: items.set_notifications("i1", enabled=False, **FACTS), []),
        (lambda items: items.retire_instance("i1", **FACTS, now=NOW), []),
    ],
)
def test_what_the_broker_changed_before_an_event_is_seen(
    dynamodb: "DynamoDBClient", known: Audiences, change: Any, seen: list[str]
) -> None:
    """However short before: a webhook just bound misses nothing, one that left gets nothing."""
    items = WebhookItems(dynamodb, "webhooks")
    items.put("i1", "w1", SETTINGS, binding_id="b1")
    assert webhooks(known) == ["w1"]
    change(items)
    assert webhooks(known) == seen


def test_a_webhook_that_changed_or_is_shared_is_seen_so(dynamodb: "DynamoDBClient", known: Audiences) -> None:
    """Its filter, and its senders."""
    items = WebhookItems(dynamodb, "webhooks")
    items.put("i1", "w1", SETTINGS, binding_id="b1")
    webhooks(known)
    items.join("i1", "w1", "b2")
    audience = known.of(["i1"])("i1")
    assert audience is not None
    assert audience.webhooks[0].senders == {"b1", "b2"}
    items.change("i1", "w1", replace(SETTINGS, scope=Scope.BINDING), before=SETTINGS.ciphertext)
    audience = known.of(["i1"])("i1")
    assert audience is not None
    assert audience.webhooks[0].scope is Scope.BINDING


def test_an_instance_made_anew_under_an_old_id_is_read_anew(dynamodb: "DynamoDBClient", known: Audiences) -> None:
    """With as many changes behind it as the one before, it is still another."""
    items = WebhookItems(dynamodb, "webhooks")
    items.put("i1", "old", SETTINGS, binding_id="b1")
    assert webhooks(known) == ["old"]
    items.retire_instance("i1", **FACTS, now=NOW)
    items.set_notifications("i1", enabled=True, **FACTS)
    items.put("i1", "new", SETTINGS, binding_id="b1")
    assert webhooks(known) == ["new"]


def test_a_baseline_is_seen_at_once(dynamodb: "DynamoDBClient", known: Audiences) -> None:
    """A resume must not be followed by what it forgave."""
    webhooks(known)
    Baselines(dynamodb, "webhooks").set("i1", NOW)
    audience = known.of(["i1"])("i1")
    assert audience is not None
    assert audience.baseline == NOW


def test_what_did_not_change_is_not_read_again(counting: Counting, known: Audiences) -> None:
    """One call a batch, whatever its instances."""
    webhooks(known)
    webhooks(known, "i2")
    webhooks(known)
    assert counting.calls == ["batch", "query", "batch", "query", "batch"]


def test_more_instances_than_a_call_takes_are_all_read(dynamodb: "DynamoDBClient", known: Audiences) -> None:
    """A hundred keys a call."""
    names = [f"t{number}" for number in range(230)]
    for name in names:
        WebhookItems(dynamodb, "webhooks").set_notifications(name, enabled=True, **FACTS)
    audience_of = known.of([*names, "gone"])
    assert all(audience_of(name) for name in names)
    assert audience_of("gone") is None


def test_keys_left_unread_are_asked_for_again(counting: Counting, known: Audiences) -> None:
    """An instance that was not read must not look gone: its events would be dropped."""
    counting.unread = 2
    assert known.of(["i1"])("i1") is not None
    counting.unread = 99
    with pytest.raises(Unread):
        known.of(["i1"])


def test_what_is_kept_is_bounded(counting: Counting, known: Audiences, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one unused for longest goes first."""
    monkeypatch.setattr(audiences, "KEPT_AT_MOST", 1)
    webhooks(known)
    webhooks(known, "i2")
    webhooks(known)
    assert counting.calls.count("query") == 3
