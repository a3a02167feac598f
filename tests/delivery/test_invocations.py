"""How long an invocation begins attempts, what it counts, and what it keeps for replay."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from lambdas.domain.webhooks.attempt import NoResponse, Response
from lambdas.domain.webhooks.delivery import DeliveryBatch
from lambdas.domain.webhooks.health import Health, HealthState
from lambdas.domain.webhooks.webhook import NotificationFormat
from tests.delivery.world import OK, START, World, batch, delivery

FAILING = Health(
    state=HealthState.FAILING,
    since=START - timedelta(hours=1),
    failures=5,
    first_failure=START - timedelta(hours=2),
    probe_at=START + timedelta(minutes=10),
)
FAILED_ONCE = Health(failures=1, first_failure=START - timedelta(seconds=5), last_failure=START)
EVENTS = tuple(f"m{number:02}" for number in range(40))


def answering_late(world: World, seconds: float) -> Callable[[], Response]:
    """A receiver that takes so many seconds for each answer."""

    def answer() -> Response:
        world.now += timedelta(seconds=seconds)
        return OK

    return answer


@pytest.mark.parametrize(
    ("prompt", "left", "begun"),
    [
        (True, 60, 2),  # at 0 and 1.5 s: attempts begin within three seconds
        (True, 1, 1),
        (False, 60, 20),  # within 30 seconds
        (False, 5, 4),  # or before the function's end
    ],
)
def test_attempts_begin_within_seconds_in_the_deliveries_queue_and_half_a_minute_in_the_slow_one(
    prompt: bool, left: float, begun: int
) -> None:
    """The rest goes on in another invocation, at once."""
    world = World()
    world.webhook(health=FAILED_ONCE)
    world.behaviours["w1"] = answering_late(world, 1.5)

    assert world.deliver(batch("w1", *EVENTS), seconds=left, prompt=prompt) == []

    assert len(world.posted) == begun
    assert [(one.attempt, len(one.deliveries), delay) for one, delay in world.slow] == [(1, 40 - begun, 0)]


@pytest.mark.parametrize(("allowed", "prompt", "deadline"), [(15, True, 2), (1, True, 1), (9, False, 9)])
def test_an_attempt_has_two_seconds_in_the_deliveries_queue_and_the_operators_in_the_slow_one(
    allowed: float, prompt: bool, deadline: float
) -> None:
    """Never more than the operator allows."""
    world = World(attempt_seconds=allowed)
    world.webhook()

    world.deliver(batch(), prompt=prompt)

    assert world.deadlines == [deadline]


def test_a_receiver_that_asks_for_a_pause_is_not_slow_for_that() -> None:
    """What it has not been asked yet waits in the deliveries queue, with what it refused."""
    world = World()
    world.webhook(health=FAILED_ONCE)
    world.behaviours["w1"] = lambda: Response(status=429, retry_after="60")

    world.deliver(batch("w1", "a", "b", "c"))

    assert [(one.attempt, [each.id for each in one.deliveries], delay) for one, delay in world.later] == [
        (2, ["a"], 60),
        (1, ["b", "c"], 60),
    ]
    assert world.slow == []


def tests_of(*names: str) -> DeliveryBatch:
    """Webhook tests."""
    return replace(batch(), deliveries=tuple(delivery(name, "webhook.test") for name in names))


tests_of.__test__ = False  # type: ignore[attr-defined]


def test_every_test_is_made_once_and_noted_with_what_the_receiver_answered() -> None:
    """In the portal the tenant reads it; several failures in a row do not stop them."""
    world = World()
    world.webhook()
    world.behaviours["w1"] = lambda: Response(status=500, body=b"no route")

    assert world.deliver(tests_of(*"abcdef")) == []

    assert world.noted == [(START, name, "no route") for name in "abcdef"]
    assert world.tests == [("w1", "500")] * 6
    assert (world.kept, world.health(), world.later, world.slow, world.parked) == ([], Health(), [], [], {})
    assert world.counted == {}


def test_a_test_that_is_accepted_has_no_answer_to_show_and_is_not_kept_for_replay() -> None:
    """A healthy webhook stays as it is."""
    world = World()
    world.webhook()

    world.deliver(tests_of("a"))

    assert (world.noted, world.tests, world.kept, world.writes) == ([(START, "a", "")], [("w1", "204")], [], 0)


def test_a_test_that_there_was_no_time_for_comes_back_at_once() -> None:
    """Through the slow queue, where there is more."""
    world = World()
    world.webhook()
    world.behaviours["w1"] = answering_late(world, 2)

    world.deliver(tests_of("a", "b", "c"))

    assert len(world.posted) == 2
    assert [([each.id for each in one.deliveries], delay) for one, delay in world.slow] == [(["c"], 0)]


def test_a_test_does_not_enable_what_an_operator_disabled() -> None:
    """An operator enables it."""
    world = World()
    disabled = Health(state=HealthState.DISABLED, since=START - timedelta(days=1), by_operator=True)
    world.webhook(health=disabled)
    world.park([(batch("w1", "old"), START + timedelta(hours=5))], now=START - timedelta(hours=1))

    world.deliver(tests_of("a"))

    assert world.health() == disabled
    assert not list(world.due(now=START))


def test_what_is_delivered_is_kept_as_a_first_attempt_and_nothing_else_is() -> None:
    """A replay begins the retry schedule anew."""
    world = World()
    world.webhook()
    answers = iter([OK, Response(status=404), OK])
    world.behaviours["w1"] = lambda: next(answers)

    world.deliver(batch("w1", "a", "b", "c", attempt=3))

    assert world.kept == [batch("w1", "a", "c")]


@pytest.mark.parametrize(("not_kept", "broken", "counted"), [(3, set(), 3), (0, set(), None), (0, {"archive"}, 1)])
def test_deliveries_that_cannot_be_replayed_are_counted(not_kept: int, broken: set[str], counted: int | None) -> None:
    """They alarm, and are not delivered again."""
    world = World(not_kept=not_kept, broken=broken)
    world.webhook()

    assert world.deliver(batch()) == []

    assert world.counted.get("DeliveriesNotKept") == counted


def test_what_is_counted_of_an_invocation() -> None:
    """Deliveries by their outcome; first attempts for the service level."""
    world = World()
    for name, health in (("ok", Health()), ("no", Health()), ("parked", FAILING)):
        world.webhook(name, health=health)
    world.behaviours["no"] = lambda: Response(status=500)
    old = START - timedelta(seconds=61)

    world.deliver(
        batch("ok", "a", "b"),
        batch("ok", "late", created_at=old),
        batch("ok", "again", attempt=2),
        batch("no", "c"),
        batch("no", "d", attempt=10),
        batch("parked", "e", "f"),
        batch("gone", "g"),
    )

    assert world.counted == {
        "DeliveriesMade": 4,
        "DeliveriesFailed": 2,
        "DeliveriesParked": 3,
        "DeliveriesExhausted": 1,
        "DeliveriesWebhookDeleted": 1,
        "FirstAttempts": 4,
        "FirstAttemptsLate": 1,
    }
    assert sorted(world.seconds["EventToWebhookSeconds"]) == [0, 0, 0, 61]


def test_a_fault_of_ours_is_counted_once_a_webhook_and_its_deliveries_are_not() -> None:
    """Its messages come back as they were."""
    world = World(broken={"kms w1"})
    world.webhook()

    assert world.deliver(batch("w1", "a"), batch("w1", "b")) == ["0", "1"]

    assert world.counted == {"DeliveryFaults": 1}
    assert (world.later, world.slow, world.parked, world.kept) == ([], [], {}, [])


@pytest.mark.parametrize(
    ("health", "answer", "state", "counted"),
    [
        (replace(FAILING, probe_at=START), OK, HealthState.HEALTHY, "WebhooksHealthy"),
        (
            Health(failures=3, first_failure=START - timedelta(seconds=40)),
            Response(status=500),
            HealthState.FAILING,
            "WebhooksFailing",
        ),
        (Health(), Response(status=410), HealthState.DISABLED, "WebhooksDisabled"),
        (
            replace(FAILING, since=START - timedelta(days=6), probe_at=START),
            NoResponse(reason="timeout"),
            HealthState.DISABLED,
            "WebhooksDisabled",
        ),
    ],
)
def test_a_transition_is_counted_and_told_once(
    health: Health, answer: Response | NoResponse, state: HealthState, counted: str
) -> None:
    """To the instance's alert topic."""
    world = World()
    world.webhook(health=health)

    def respond() -> Response | NoResponse:
        world.now += timedelta(seconds=0.5)
        return answer

    world.behaviours["w1"] = respond
    world.deliver(batch("w1", "a"), prompt=False)

    assert (world.health().state, world.health().since, world.health().unnotified) == (state, world.now, False)
    assert {name: value for name, value in world.counted.items() if name.startswith("Webhooks")} == {counted: 1}
    assert [topic for topic, _, _ in world.notified] == ["ses-feedback-i1-alerts"]


def test_a_webhook_without_userinfo_sends_no_authorization() -> None:
    """Nor does a digest's topic need a secret."""
    world = World()
    world.webhook()
    world.webhook("email", format=NotificationFormat.EMAIL, ciphertext=b"")

    world.deliver(batch("w1"), batch("email"))

    assert "authorization" not in world.headers[0]
    assert len(world.posted) == 1


def test_after_a_new_url_what_the_old_one_did_says_nothing() -> None:
    """The failing webhook is probed at once, in the slow queue; a failure is the new URL's first."""
    world = World()
    world.webhook(health=FAILING, version=1)
    world.behaviours["w1"] = lambda: Response(status=500)

    world.deliver(batch("w1", "a"))
    assert (world.posted, len(world.slow)) == ([], 1)
    world.deliver(*world.queued(), prompt=False)

    assert len(world.posted) == 1
    health = world.health()
    assert (health.state, health.failures, health.webhook_version) == (HealthState.FAILING, 1, 1)
