"""Where deliveries go that an invocation did not complete: which message, in how long, or until when in the backlog."""

from datetime import datetime, timedelta

import pytest

from lambdas.delivery.attempts import PendingAttempt
from lambdas.delivery.ports import DeliveryRules
from lambdas.delivery.reschedule import Reschedule, after_attempts, await_probe, park_all, put_off
from lambdas.domain.webhooks.attempt import Attempt, AttemptOutcome, Failed, ReceiverGone
from lambdas.domain.webhooks.delivery import KEPT_FOR, MAX_DELIVERIES, DeliveryBatch
from lambdas.domain.webhooks.health import Health, HealthRules, HealthState
from lambdas.domain.webhooks.retry_schedule import RetrySchedule
from lambdas.domain.webhooks.target import Target
from lambdas.domain.webhooks.webhook import NotificationFormat, WebhookId
from tests.delivery.world import START, delivery

RULES = DeliveryRules(retry_schedule=RetrySchedule(), health=HealthRules(), release_every=60, attempt_seconds=15)
JITTERED = 1.1  # what a jitter of 0.5 makes of a wait
NO = Failed(reason="500")
REFUSED = Failed(reason="400")
TOO_LARGE = Failed(reason="413")
FAILING = Health(state=HealthState.FAILING, since=START - timedelta(hours=1), failures=9)
PROBED = Health(failures=3, first_failure=START, probe_at=START + timedelta(seconds=7.2))


def jitter() -> float:
    """Half of the way to the longest wait."""
    return 0.5


def target(health: Health | None = None, *, batch: int = 1) -> Target:
    """The webhook w1."""
    return Target(
        instance_id="i1",
        webhook_id=WebhookId("w1"),
        url="https://w1.example/hook",
        format=NotificationFormat.STANDARD_WEBHOOKS,
        batch=batch,
        health=health or Health(),
    )


def single(name: str = "a", *, number: int = 1, age: float = 0) -> PendingAttempt:
    """One delivery that was fanned out *age* seconds ago."""
    return PendingAttempt(deliveries=(delivery(name, created_at=START - timedelta(seconds=age)),), number=number)


def together(*names: str, number: int = 1, fixed: bool = True, refused: int = 0) -> PendingAttempt:
    """A batch."""
    deliveries = tuple(delivery(name) for name in names)
    return PendingAttempt(deliveries=deliveries, number=number, batch=True, fixed=fixed, refused=refused)


def message(attempt: int, *names: str, fixed: bool = False, refused: int = 0) -> tuple[int, list[str], bool, int]:
    """A queue message: its attempt, its deliveries, whether they stay together, and how often they were refused."""
    return attempt, list(names), fixed, refused


def shown(batch: DeliveryBatch) -> tuple[int, list[str], bool, int]:
    """The same of *batch*."""
    assert (batch.instance_id, batch.webhook_id) == ("i1", "w1")
    return batch.attempt, [one.id for one in batch.deliveries], batch.fixed, batch.refused


def later(found: Reschedule) -> list[tuple[tuple[int, list[str], bool, int], float]]:
    """What goes to the queue, with its delays."""
    return [(shown(batch), round(delay, 6)) for batch, delay in found.later]


def parked(found: Reschedule) -> list[tuple[tuple[int, list[str], bool, int], datetime]]:
    """What goes to the backlog, with the time at which it is due."""
    return [(shown(batch), due) for batch, due in found.parked]


def after(
    failed: list[tuple[PendingAttempt, AttemptOutcome]],
    not_begun: list[PendingAttempt] | None = None,
    *,
    health: Health | None = None,
    below_failure_limit: bool = True,
    rules: DeliveryRules = RULES,
) -> Reschedule:
    """Reschedule after attempts that ended now."""
    made = [
        (pending, Attempt(delivery=pending.content(), began=START, ended=START, outcome=outcome))
        for pending, outcome in failed
    ]
    return after_attempts(
        target(health),
        made,
        not_begun or [],
        rules=rules,
        jitter=jitter,
        below_failure_limit=below_failure_limit,
        now=START,
    )


def test_what_was_not_begun_goes_in_few_messages_with_the_attempt_it_had() -> None:
    """Oldest first; a batch whose events belong together is a message of its own."""
    pending = [single("a", age=1), single("x", number=2), together("f", "g", number=3, refused=1), single("b", age=9)]
    found = put_off(target(), pending, delay=7)
    assert later(found) == [
        (message(3, "f", "g", fixed=True, refused=1), 7),
        (message(1, "b", "a"), 7),
        (message(2, "x"), 7),
    ]
    assert (found.parked, found.exhausted, found.slow) == ([], 0, False)


def test_a_delay_is_at_most_what_sqs_takes() -> None:
    """15 minutes."""
    assert [delay for _, delay in put_off(target(), [single()], delay=901).later] == [900]
    assert [delay for _, delay in put_off(target(), [single()], delay=900).later] == [900]


@pytest.mark.parametrize(("batch", "sizes"), [(1, [50, 11]), (60, [60, 1]), (100, [61])])
def test_a_message_holds_fifty_deliveries_or_a_webhooks_batch(batch: int, sizes: list[int]) -> None:
    """Whichever is more: a batch is not torn apart."""
    assert MAX_DELIVERIES == 50
    pending = [single(f"m{number:02}") for number in range(61)]
    found = put_off(target(batch=batch), pending, delay=0)
    assert [len(one.deliveries) for one, _ in found.later] == sizes


def test_what_is_parked_is_due_since_the_oldest_of_it_was_made() -> None:
    """So that a shard is read oldest first."""
    found = park_all(target(), [single("a", age=5), single("b", age=60), single("x", number=2, age=1)])
    assert parked(found) == [
        (message(1, "b", "a"), START - timedelta(seconds=60)),
        (message(2, "x"), START - timedelta(seconds=1)),
    ]
    assert found.later == []


def test_while_another_delivery_probes_a_failing_webhooks_are_parked_and_others_wait() -> None:
    """For half of the time after which a webhook is failing, with jitter."""
    failing = await_probe(target(FAILING), [single(age=5)], rules=RULES, jitter=jitter)
    assert (parked(failing), failing.later) == ([(message(1, "a"), START - timedelta(seconds=5))], [])
    doubted = await_probe(target(PROBED), [single(age=5)], rules=RULES, jitter=jitter)
    assert (doubted.parked, later(doubted)) == ([], [(message(1, "a"), round(15 * JITTERED, 6))])


@pytest.mark.parametrize(
    ("number", "wait"), [(1, 5), (2, 300), (3, 1_800), (4, 7_200), (9, 86_400)], ids=lambda value: str(value)
)
def test_a_failure_is_retried_by_the_schedule_in_the_queue_or_from_the_backlog(number: int, wait: float) -> None:
    """SQS delays 15 minutes at most; the next attempt has the next number."""
    found = after([(single(number=number), NO)])
    if wait * JITTERED <= 900:
        assert (later(found), found.parked) == ([(message(number + 1, "a"), round(wait * JITTERED, 6))], [])
    else:
        due = START + timedelta(seconds=wait * JITTERED)
        assert (found.later, parked(found)) == ([], [(message(number + 1, "a"), due)])
    assert found.exhausted == 0


def test_a_wait_of_exactly_fifteen_minutes_is_the_queues() -> None:
    """It takes that much."""
    schedule = RetrySchedule(waits=(900 / JITTERED,))
    rules = DeliveryRules(retry_schedule=schedule, health=HealthRules(), release_every=60, attempt_seconds=15)
    assert len(after([(single(), NO)], rules=rules).later) == 1


def test_at_the_end_of_the_schedule_each_delivery_is_counted_and_parked_until_it_expires() -> None:
    """It goes out when the webhook recovers, or on replay."""
    found = after([(single("a", number=10, age=9), NO), (single("b", number=10), NO)])
    assert parked(found) == [(message(11, "a", "b"), START - timedelta(seconds=9) + KEPT_FOR)]
    assert (found.later, found.exhausted) == ([], 2)


def test_a_batch_that_failed_stays_together() -> None:
    """It may have been posted: its id comes from its events."""
    assert later(after([(together("a", "b", fixed=False), NO)])) == [
        (message(2, "a", "b", fixed=True), round(5 * JITTERED, 6))
    ]


def test_the_longest_wait_that_a_receiver_asked_for_holds_for_all_of_it() -> None:
    """For what failed and for what was not begun, if it failed too often."""
    failed: list[tuple[PendingAttempt, AttemptOutcome]] = [
        (single("a"), Failed(reason="429", wait=60)),
        (single("b"), Failed(reason="503", wait=20)),
        (single("c"), NO),
    ]
    assert later(after(failed, [single("d")], below_failure_limit=False)) == [
        (message(2, "a", "b", "c"), 60),
        (message(1, "d"), 60),
    ]
    assert later(after([(single("a"), Failed(reason="429", wait=1))], [single("d")], below_failure_limit=False)) == [
        (message(2, "a"), round(5 * JITTERED, 6)),
        (message(1, "d"), round(5 * JITTERED, 6)),
    ]


def test_what_was_not_begun_waits_only_behind_a_webhook_that_failed_too_often() -> None:
    """Else there was no time for it here, and it goes on at once."""
    assert later(after([], [single()])) == [(message(1, "a"), 0)]
    assert later(after([], [single()], below_failure_limit=False)) == [(message(1, "a"), round(5 * JITTERED, 6))]


def test_what_was_not_begun_makes_the_next_probe() -> None:
    """In whole seconds, so that the probe is due when it comes; or when the receiver wants it."""
    assert later(after([], [single()], health=PROBED)) == [(message(1, "a"), 8)]
    asked = after([(single("x"), Failed(reason="503", wait=60))], [single()], health=PROBED)
    assert later(asked) == [(message(2, "x"), 60), (message(1, "a"), 60)]


def test_a_refused_batch_is_tried_whole_once_more_and_then_in_halves() -> None:
    """After the schedule's first wait, then at once; too large a one is halved without delay."""
    again = after([(together("a", "b", "c"), REFUSED)])
    assert later(again) == [(message(2, "a", "b", "c", fixed=True, refused=1), round(5 * JITTERED, 6))]
    halved = [(message(2, "a", "b", fixed=True), 0), (message(2, "c", fixed=True), 0)]
    assert later(after([(together("a", "b", "c", refused=1, number=2), REFUSED)])) == halved
    assert later(after([(together("a", "b", "c"), TOO_LARGE)])) == halved
    assert later(after([(together("a"), REFUSED)])) == [(message(2, "a", fixed=True), round(5 * JITTERED, 6))]


def test_halves_of_a_refused_batch_wait_like_the_rest_if_the_webhook_failed_too_often() -> None:
    """Behind its probe."""
    found = after([(together("a", "b"), TOO_LARGE)], [single("x")], health=PROBED)
    assert [delay for _, delay in found.later] == [8, 8, 8]


@pytest.mark.parametrize(
    ("probe_in", "delay"), [(5.0, 6.0), (59.9, 60.9), (-3.0, 1.0), (60.0, None), (900.0, None), (None, None)]
)
def test_a_failing_webhooks_deliveries_are_parked_but_for_the_next_probe(
    probe_in: float | None, delay: float | None
) -> None:
    """If it is due before release looks, every 60 seconds; a second late, so that it surely is due."""
    probe_at = None if probe_in is None else START + timedelta(seconds=probe_in)
    health = Health(state=HealthState.FAILING, since=START, failures=9, probe_at=probe_at)
    found = after([(single("a", number=2, age=9), NO)], [single("b", age=5)], health=health)
    both = [
        (message(2, "a"), START - timedelta(seconds=9)),
        (message(1, "b"), START - timedelta(seconds=5)),
    ]
    if delay is None:
        assert (parked(found), found.later) == (both, [])
    else:
        assert (parked(found), later(found)) == (both[1:], [(message(2, "a"), delay)])
    assert found.exhausted == 0


def test_without_a_failed_attempt_nobody_makes_the_next_probe_of_a_failing_webhook() -> None:
    """Release does, from the backlog."""
    health = Health(state=HealthState.FAILING, since=START, failures=9, probe_at=START)
    assert after([], [single()], health=health).later == []
    assert after([], [], health=health).parked == []


def test_a_disabled_webhooks_deliveries_are_all_parked() -> None:
    """Whatever probe its record names; batches stay as they were posted, refused ones as they are tried next."""
    health = Health(state=HealthState.DISABLED, since=START, probe_at=START)
    gone = ReceiverGone(reason="410")
    failed: list[tuple[PendingAttempt, AttemptOutcome]] = [
        (together("a", "b", fixed=False), gone),
        (together("c", "d"), TOO_LARGE),
    ]
    found = after(failed, [single("x")], health=health)
    assert [entry for entry, _ in parked(found)] == [
        message(1, "a", "b", fixed=True),
        message(2, "c", fixed=True),
        message(2, "d", fixed=True),
        message(1, "x"),
    ]
    assert found.later == []


def test_what_is_added_keeps_everything() -> None:
    """Messages, parked ones, and the count of those without a retry left."""
    all_ = put_off(target(), [single("a")], delay=1)
    all_.exhausted = 1
    all_.add(after([(single("b", number=10), NO)]))
    all_.add(put_off(target(), [single("c")], delay=2))
    assert later(all_) == [(message(1, "a"), 1), (message(1, "c"), 2)]
    assert ([entry for entry, _ in parked(all_)], all_.exhausted) == ([message(11, "b")], 2)
