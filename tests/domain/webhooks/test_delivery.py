from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.webhooks.delivery import MAX_BYTES, MAX_DELIVERIES, Delivery, batched, delivery_id
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
