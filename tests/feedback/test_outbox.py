"""Sends of many threads travel together, and none pays for another's fault."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Event

import pytest

from lambdas.domain.delivery import Delivery, DeliveryBatch
from lambdas.domain.webhook import NotificationFormat, WebhookId
from lambdas.feedback.outbox import SharedOutbox

NOW = datetime(2026, 11, 21, tzinfo=UTC)
POISON = WebhookId("poison")


def batch(webhook_id: str) -> DeliveryBatch:
    delivery = Delivery(
        id=f"msg_{webhook_id}",
        type="email.bounced",
        timestamp=NOW,
        created_at=NOW,
        format=NotificationFormat.STANDARD_WEBHOOKS,
        body="{}",
        headers={},
    )
    return DeliveryBatch(instance_id="i", webhook_id=WebhookId(webhook_id), attempt=1, deliveries=(delivery,))


class SlowQueue:
    """Notes each call; the first waits until it is let go, so that others pile up behind it. Refuses POISON."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.called, self.go = Event(), Event()

    def send(self, batches: Iterable[DeliveryBatch]) -> None:
        """Take them all, or none."""
        ids = [batch.webhook_id for batch in batches]
        self.calls.append(list(ids))
        self.called.set()
        assert self.go.wait(10)
        if POISON in ids:
            raise ValueError(POISON)


def piled_up(queue: SlowQueue, outbox: SharedOutbox, webhooks: Iterable[str]) -> list[BaseException | None]:
    """Send one batch, and the others while it is under way; how each ended."""
    with ThreadPoolExecutor(16) as pool:
        sends = [pool.submit(outbox.send, [batch("first")])]
        assert queue.called.wait(10)
        sends += [pool.submit(outbox.send, [batch(webhook)]) for webhook in webhooks]
        while len(outbox._waiting) < len(sends) - 1:
            pass
        queue.go.set()
        return [send.exception() for send in sends]


def test_what_is_ready_while_a_call_is_under_way_goes_with_the_next() -> None:
    """Nine callers, two calls."""
    queue = SlowQueue()

    ends = piled_up(queue, SharedOutbox(queue), "bcdefghi")

    assert ends == [None] * 9
    assert [["first"], sorted("bcdefghi")] == [sorted(call) for call in queue.calls]


def test_a_batch_that_is_refused_fails_its_own_sender_alone() -> None:
    """The others are sent again, each alone: ids come from content, so a repetition is known for one."""
    queue = SlowQueue()

    ends = piled_up(queue, SharedOutbox(queue), ["b", POISON, "c"])

    assert [None, None, ValueError, None] == [end and type(end) for end in ends]
    assert sorted(queue.calls[2:]) == [["b"], ["c"], [POISON]]


def test_nothing_to_send_asks_nothing_of_the_queue() -> None:
    """An instance without webhooks."""
    queue = SlowQueue()

    SharedOutbox(queue).send([])

    assert not queue.calls


def test_a_lone_sender_learns_of_its_fault() -> None:
    """And can send again."""
    queue = SlowQueue()
    queue.go.set()
    outbox = SharedOutbox(queue)

    with pytest.raises(ValueError, match=POISON):
        outbox.send([batch(POISON)])
    outbox.send([batch("b")])

    assert queue.calls == [[POISON], [POISON], ["b"]]
