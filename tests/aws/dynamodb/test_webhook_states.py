"""A webhook and its health, as delivery reads and writes them."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lambdas.aws.dynamodb.attribute_values import from_item, to_item
from lambdas.aws.dynamodb.webhooks.webhook_states import KEPT_FOR, WebhookStates, _health_map
from lambdas.aws.dynamodb.webhooks.webhook_table import instance_key, webhook_key
from lambdas.domain import schema
from lambdas.domain.webhooks.health import FailedAttempt, Health, HealthState
from lambdas.domain.webhooks.target import Target
from lambdas.domain.webhooks.webhook import NotificationFormat, WebhookId
from tests.aws.tables import dynamodb_with

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
WEBHOOK = WebhookId("w1")
KEY = ("i1", WEBHOOK)
FULL = Health(
    state=HealthState.FAILING,
    since=NOW,
    failures=3,
    first_failure=NOW,
    last_failure=NOW,
    last_reason="503",
    probes=2,
    probe_at=NOW,
    drain=4,
    unnotified=True,
    by_operator=True,
    webhook_version=2,
    record=0,
    attempts=(FailedAttempt(delivery="msg_1", type="email.bounced", at=NOW, reason="503", excerpt="ü"),),
)


@pytest.fixture
def dynamodb() -> Iterator["DynamoDBClient"]:
    """A DynamoDB with one webhook."""
    with dynamodb_with("webhooks") as client:
        put(client)
        client.put_item(TableName="webhooks", Item=to_item({**instance_key("i1"), "notifications": True}))
        yield client


@pytest.fixture
def states(dynamodb: "DynamoDBClient") -> WebhookStates:
    """The adapter."""
    return WebhookStates(dynamodb, "webhooks")


def put(client: "DynamoDBClient", **more: object) -> None:
    """Write the webhook as the broker does."""
    item = {**webhook_key(*KEY), "url": "https://h.example", "format": "sns", "version": 2, "ciphertext": b"s", **more}
    client.put_item(TableName="webhooks", Item=to_item(item))


def item(client: "DynamoDBClient") -> dict[str, Any]:
    """The webhook's item."""
    return from_item(client.get_item(TableName="webhooks", Key=to_item(webhook_key(*KEY)))["Item"])


def load(states: WebhookStates, *, now: datetime = NOW) -> Target:
    """The webhook."""
    return states.load([KEY], now=now)[KEY]


def test_a_webhook_that_never_failed_has_no_record(states: WebhookStates) -> None:
    """As the broker wrote it."""
    assert load(states) == Target(
        instance_id="i1",
        webhook_id=WEBHOOK,
        url="https://h.example",
        format=NotificationFormat.SNS,
        version=2,
        ciphertext=b"s",
        health=Health(),
    )


def test_health_comes_back_as_it_was_written(states: WebhookStates, dynamodb: "DynamoDBClient") -> None:
    """Every field, and nothing that equals its default is kept."""
    assert states.change(load(states), lambda _: FULL) == (Health(), replace(FULL, record=1))

    assert WebhookStates(dynamodb, "webhooks").load([KEY], now=NOW)[KEY].health == replace(FULL, record=1)
    assert _health_map(Health()) == {}


def test_no_change_is_no_write(states: WebhookStates, dynamodb: "DynamoDBClient") -> None:
    """Success after success costs nothing."""
    before = item(dynamodb)

    assert states.change(load(states), lambda health: health) == (Health(), Health())
    assert item(dynamodb) == before


def test_a_change_over_an_older_view_is_made_anew_over_the_present_one(
    states: WebhookStates, dynamodb: "DynamoDBClient"
) -> None:
    """Two invocations count a failure each: both count."""
    view = load(states)
    other = WebhookStates(dynamodb, "webhooks")
    other.change(load(other), lambda health: replace(health, failures=health.failures + 1))

    before, after = states.change(view, lambda health: replace(health, failures=health.failures + 1)) or (None, None)

    assert before is not None
    assert after is not None
    assert (before.failures, after.failures, item(dynamodb)["health"]["failures"]) == (1, 2, 2)


def test_a_webhook_that_is_gone_does_not_come_back_by_its_health(
    states: WebhookStates, dynamodb: "DynamoDBClient"
) -> None:
    """It was unbound while its deliveries were tried."""
    view = load(states)
    dynamodb.delete_item(TableName="webhooks", Key=to_item(webhook_key(*KEY)))

    assert states.change(view, lambda _: FULL) is None
    states.note_test(view, status="200", now=NOW)

    assert "Item" not in dynamodb.get_item(TableName="webhooks", Key=to_item(webhook_key(*KEY)))
    assert states.load([KEY], now=NOW) == {}


def test_a_webhook_is_read_once_in_some_seconds(states: WebhookStates, dynamodb: "DynamoDBClient") -> None:
    """And anew when it must be fresh."""
    load(states)
    put(dynamodb, url="https://new.example")

    assert load(states, now=NOW + KEPT_FOR / 2).url == "https://h.example"
    assert states.load([KEY], now=NOW + KEPT_FOR / 2, fresh=True)[KEY].url == "https://new.example"
    assert load(states, now=NOW + 2 * KEPT_FOR).url == "https://new.example"


def test_a_webhook_made_a_moment_after_it_was_missed_is_found(
    states: WebhookStates, dynamodb: "DynamoDBClient"
) -> None:
    """That it was not there is not kept."""
    key = ("i2", WebhookId("w2"))
    assert states.load([key], now=NOW) == {}
    dynamodb.put_item(
        TableName="webhooks", Item=to_item({**webhook_key(*key), "url": "https://h.example", "format": "sns"})
    )

    assert key in states.load([key], now=NOW)


def test_what_we_changed_is_seen_at_once(states: WebhookStates) -> None:
    """The next batch of this process knows."""
    states.change(load(states), lambda _: FULL)

    assert load(states).health.state is HealthState.FAILING


def test_more_webhooks_than_one_call_takes_are_read_in_several(
    states: WebhookStates, dynamodb: "DynamoDBClient"
) -> None:
    """BatchGetItem takes a hundred."""
    keys = [("i1", WebhookId(f"w{number}")) for number in range(130)]
    for key in keys:
        dynamodb.put_item(
            TableName="webhooks", Item=to_item({**webhook_key(*key), "url": "https://h.example", "format": "sns"})
        )

    assert set(states.load(keys + keys, now=NOW)) == set(keys)


def test_a_test_is_noted_where_the_broker_looks(states: WebhookStates, dynamodb: "DynamoDBClient") -> None:
    """Status and time, which test it was, and what a receiver that refused it answered."""
    states.note_test(load(states), status="404", now=NOW, delivery="msg_1", answer="no such app")

    noted = {"status": "404", "at": "2026-11-21T04:00:00+00:00", "delivery": "msg_1", "answer": "no such app"}
    assert item(dynamodb)["test_result"] == noted


def test_operators_list_webhooks_and_nothing_else(states: WebhookStates) -> None:
    """Of one instance or of all."""
    for instance in (None, "i1"):
        assert [target.webhook_id for target, _ in states.every(instance)] == [WEBHOOK]


def test_the_old_secret_signs_too_until_its_end(dynamodb: "DynamoDBClient", states: WebhookStates) -> None:
    """As the broker leaves it at a rotation."""
    put(
        dynamodb,
        ciphertext=b"new",
        previous_ciphertext=b"old",
        previous_expires_at=(NOW + timedelta(hours=24)).isoformat(),
    )

    target = load(states)

    assert target.ciphertexts(now=NOW) == (b"new", b"old")
    assert target.ciphertexts(now=NOW + timedelta(hours=24)) == (b"new",)


def test_a_webhook_that_a_later_release_wrote_is_refused(states: WebhookStates, dynamodb: "DynamoDBClient") -> None:
    """Read as this release understands it, it might be posted to wrongly; its messages wait in their queue."""
    put(dynamodb, **{schema.ATTRIBUTE: schema.READS + 1})
    with pytest.raises(schema.NewerSchema):
        load(states)
