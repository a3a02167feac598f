"""How a webhook's health decides what is attempted of its deliveries."""

from dataclasses import replace
from datetime import timedelta

import pytest

from lambdas.delivery.attempts import PATIENCE, PendingAttempt
from lambdas.delivery.concurrency import FIRST
from lambdas.delivery.gathering import gathered, pending_of
from lambdas.delivery.webhook_deliveries import (
    by_webhook,
    goes_through_slow_queue,
    is_parked,
    series_of,
    series_of_tests,
)
from lambdas.domain.webhooks.health import Health, HealthState
from lambdas.domain.webhooks.target import Target
from lambdas.domain.webhooks.webhook import NotificationFormat, WebhookId
from tests.delivery.world import START, batch, delivery

CREDENTIALS = ((b"key",), {"authorization": "Basic x"})
FAILING = Health(state=HealthState.FAILING, probe_at=START + timedelta(seconds=1))
TARGET = Target(
    instance_id="i1",
    webhook_id=WebhookId("w1"),
    url="https://w1.example/hook",
    format=NotificationFormat.STANDARD_WEBHOOKS,
)
SINGLE = PendingAttempt(deliveries=(delivery("a"),), number=1)


def of(health: Health) -> Target:
    """The webhook in such health."""
    return replace(TARGET, health=health)


@pytest.mark.parametrize(
    ("health", "most", "failure_limit"),
    [
        (Health(), FIRST, PATIENCE),
        (Health(failures=1), 1, 2),
        (Health(failures=2), 1, 2),
        (Health(failures=3), 1, 1),
        (FAILING, 1, 1),
    ],
)
def test_a_webhook_that_failed_lately_gets_one_attempt_at_a_time_and_a_probe_is_alone(
    health: Health, most: int, failure_limit: int
) -> None:
    """Signed and authorized like any other."""
    series = series_of(of(health), CREDENTIALS, [SINGLE])
    assert (series.most, series.failure_limit) == (most, failure_limit)
    assert (series.target, series.keys, series.headers) == (of(health), (b"key",), {"authorization": "Basic x"})
    assert list(series.pending) == [SINGLE]


def test_tests_are_made_one_after_the_other_and_all_of_them() -> None:
    """However many fail, and whatever the health."""
    series = series_of_tests(of(FAILING), CREDENTIALS, [SINGLE, SINGLE])
    assert (series.most, series.failure_limit, len(series.pending)) == (1, 3, 2)
    assert (series.keys, series.headers) == ((b"key",), {"authorization": "Basic x"})


@pytest.mark.parametrize(
    ("target", "parked", "slow"),
    [
        (of(Health()), False, False),
        (of(Health(slow_until=START + timedelta(seconds=1))), False, True),
        (of(Health(failures=3)), False, True),
        (of(FAILING), True, False),
        (of(replace(FAILING, probe_at=START)), False, True),
        (of(Health(state=HealthState.DISABLED)), True, False),
        (replace(TARGET, format=NotificationFormat.EMAIL), True, False),
    ],
)
def test_what_is_not_attempted_is_parked_and_what_may_hang_goes_through_the_slow_queue(
    target: Target, parked: bool, slow: bool
) -> None:
    """Never both."""
    assert (is_parked(target, now=START), goes_through_slow_queue(target, now=START)) == (parked, slow)


def test_messages_are_taken_by_webhook_with_tests_apart() -> None:
    """The test of a notification_email is read in its digest; a webhook that is gone has nothing."""
    test = replace(batch("w1"), deliveries=(delivery("t", "webhook.test"), delivery("c")))
    email = replace(batch("w2"), deliveries=(delivery("u", "webhook.test"),))
    targets = {
        ("i1", WebhookId("w1")): TARGET,
        ("i1", WebhookId("w2")): replace(TARGET, webhook_id=WebhookId("w2"), format=NotificationFormat.EMAIL),
    }
    messages = {"1": batch("w1", "a", "b", attempt=3), "2": batch("gone"), "3": test, "4": email}
    first, second = by_webhook(messages, targets)
    assert (first.target, first.messages) == (TARGET, ["1", "3"])
    assert [(one.deliveries[0].id, one.number) for one in first.pending] == [("a", 3), ("b", 3), ("c", 1)]
    assert [one.deliveries[0].id for one in first.tests] == ["t"]
    assert ([one.deliveries[0].id for one in second.pending], second.tests, second.messages) == (["u"], [], ["4"])
    assert first.ids == {"instance_id": "i1", "webhook_id": "w1"}
    assert (first.series, first.fault) == ([], False)


def test_a_message_that_was_received_before_stays_together() -> None:
    """Of a webhook with batches: it may have been posted so."""
    targets = {("i1", WebhookId("w1")): replace(TARGET, batch=10)}
    [one] = by_webhook({"1": batch("w1", "a"), "2": batch("w1", "b")}, targets, seen={"2"})
    assert [(pending.deliveries[0].id, pending.fixed) for pending in one.pending] == [("a", False), ("b", True)]


def test_what_is_stored_of_a_message_is_posted_as_it_is() -> None:
    """How often it was refused counts only while it is whole."""
    target = replace(TARGET, batch=2)
    refused = replace(batch("w1", "a", "b", attempt=2), fixed=True, refused=1)
    [whole] = pending_of(target, refused)
    assert (whole.number, whole.batch, whole.fixed, whole.refused) == (2, True, True, 1)
    split = pending_of(target, replace(batch("w1", "a", "b", "c"), fixed=True, refused=1))
    assert [(len(one.deliveries), one.fixed, one.refused) for one in split] == [(2, True, 0), (1, True, 0)]
    alone = pending_of(TARGET, refused)
    assert [(one.deliveries[0].id, one.number, one.batch, one.fixed, one.refused) for one in alone] == [
        ("a", 2, False, False, 0),
        ("b", 2, False, False, 0),
    ]


def test_open_batches_are_gathered_by_age_and_full_ones_are_posted() -> None:
    """As first attempts that stay together; nothing is gathered alone, or for a probe."""
    target = replace(TARGET, batch=3)

    def pending(*names: str, number: int = 1, fixed: bool = False, age: float = 0) -> PendingAttempt:
        deliveries = tuple(delivery(name, created_at=START - timedelta(seconds=age)) for name in names)
        return PendingAttempt(deliveries=deliveries, number=number, batch=True, fixed=fixed)

    full, retried, stored = pending("f", "g", "h"), pending("r", number=2), pending("s", fixed=True)
    young, old, same = pending("y"), pending("o", "p", age=9), pending("y", age=0)
    now, larger = gathered(target, [full, young, retried, old, stored, same])
    assert now == [full, retried, stored]
    assert [([one.id for one in each.deliveries], each.number, each.batch, each.fixed) for each in larger] == [
        (["o", "p", "y"], 1, True, True)
    ]
    assert gathered(target, [full, young]) == ([full, young], [])
    probed = replace(target, health=Health(failures=3))
    assert gathered(probed, [young, old]) == ([young, old], [])
    two, other = pending("a", "b", age=5), pending("c", "d", age=1)
    now, larger = gathered(replace(TARGET, batch=4), [two, other])
    assert (now, [len(each.deliveries) for each in larger]) == ([], [4])
