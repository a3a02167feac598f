"""What counts for the service level: first attempts that were not held up by their own receiver."""

from datetime import timedelta

from lambdas.domain.webhooks.attempt import Response
from lambdas.domain.webhooks.health import Health, HealthState
from tests.delivery.world import START, World, batch


def test_first_attempts_count_and_those_over_a_minute_are_late() -> None:
    """Seconds from the fan-out to the attempt."""
    world = World(now=START + timedelta(seconds=61))
    world.webhook()
    world.deliver(batch("w1", "a", "b"), batch("w1", "c", created_at=START + timedelta(seconds=59)))
    assert world.counted["FirstAttempts"] == 3
    assert world.counted["FirstAttemptsLate"] == 2
    assert sorted(world.seconds["EventToWebhookSeconds"]) == [2.0, 61.0, 61.0]


def test_a_first_attempt_that_fails_counts_too_and_its_retry_does_not() -> None:
    """The service level is ours: the receiver's answer does not matter to it."""
    world = World()
    world.webhook()
    world.behaviours["w1"] = lambda: Response(status=500)
    world.deliver(batch("w1", "a"))
    world.set_health(failures=0)
    world.deliver(*world.queued())
    assert world.counted["FirstAttempts"] == 1


def test_events_that_waited_for_their_own_receiver_do_not_count() -> None:
    """Neither while it fails, nor those that are sent once it has recovered."""
    world = World(now=START + timedelta(hours=2))
    recovered = Health(state=HealthState.HEALTHY, since=START + timedelta(hours=1))
    world.webhook("w1", health=recovered)
    world.webhook("w2", health=Health(failures=2))
    world.deliver(batch("w1", "a"), batch("w2", "b"))
    assert "FirstAttempts" not in world.counted
    assert world.seconds == {}


def test_of_many_attempts_a_hundred_are_recorded_and_all_are_counted() -> None:
    """CloudWatch takes a hundred values of a metric in a line."""
    world = World()
    world.webhook()
    world.deliver(*(batch("w1", *(f"{number}-{each}" for each in range(50))) for number in range(9)))
    assert world.counted["FirstAttempts"] == 450
    assert 50 <= len(world.seconds["EventToWebhookSeconds"]) <= 100
