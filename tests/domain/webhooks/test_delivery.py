from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.webhooks.delivery import (
    MAX_BYTES,
    MAX_DELIVERIES,
    Delivery,
    DeliveryBatch,
    batched,
    created_at,
    delivery_id,
    expires_at,
)
from lambdas.domain.webhooks.webhook import NotificationFormat, WebhookId

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def delivery(body: str) -> Delivery:
    return Delivery(
        id="msg_1",
        type="email.bounced",
        timestamp=NOON,
        created_at=NOON,
        format=NotificationFormat.STANDARD_WEBHOOKS,
        body=body,
        headers={},
    )


def test_a_delivery_has_the_same_id_each_time_and_another_for_another_webhook() -> None:
    first = delivery_id(WebhookId("wh_1"), "event")

    assert delivery_id(WebhookId("wh_1"), "event") == first
    assert delivery_id(WebhookId("wh_2"), "event") != first
    assert "." not in first, "Standard Webhooks: the id is signed as id.timestamp.body"


def test_a_message_is_filled_to_the_byte_before_the_next_begins() -> None:
    """Fewer, fuller messages cost less; the second is counted from nothing again."""
    half = MAX_BYTES // 2
    assert [len(batch) for batch in batched([delivery("x" * half)] * 5)] == [2, 2, 1]
    assert [len(batch) for batch in batched([delivery("")] * (MAX_DELIVERIES + 1))] == [MAX_DELIVERIES, 1]


@given(st.lists(st.integers(0, MAX_BYTES), max_size=200))
def test_batches_keep_every_delivery_in_order_within_a_messages_limits(sizes: list[int]) -> None:
    deliveries = [delivery("x" * size) for size in sizes]

    batches = list(batched(deliveries))

    assert [one for batch in batches for one in batch] == deliveries
    assert all(0 < len(batch) <= MAX_DELIVERIES for batch in batches)
    assert all(sum(len(one.body) for one in batch) <= MAX_BYTES for batch in batches)


def test_the_id_of_a_delivery_is_the_same_in_every_release() -> None:
    """A retry after an upgrade, or a replay, must look like the first attempt."""
    assert delivery_id(WebhookId("w1"), "e1") == "msg_198ed97878313e42803c32bd73c957ad"


def test_a_batch_expires_fourteen_days_after_its_oldest_delivery_was_fanned_out() -> None:
    """As long as SQS keeps a message."""
    deliveries = tuple(replace(delivery("x"), created_at=NOON - timedelta(hours=age)) for age in (1, 5, 0))
    batch = DeliveryBatch(instance_id="i1", webhook_id=WebhookId("wh_1"), attempt=1, deliveries=deliveries)

    assert created_at(batch) == NOON - timedelta(hours=5)
    assert expires_at(batch) == NOON - timedelta(hours=5) + timedelta(days=14)
    assert (batch.fixed, batch.refused) == (False, 0)


def test_only_what_may_go_together_with_the_first_is_in_its_batch() -> None:
    """And as many as are wanted."""
    deliveries = [delivery(body) for body in ("a", "ab", "b", "bc", "b")]

    batches = batched(deliveries, most=2, together=lambda first, other: first.body[0] == other.body[0])

    assert [[one.body for one in batch] for batch in batches] == [["a", "ab"], ["b", "bc"], ["b"]]
