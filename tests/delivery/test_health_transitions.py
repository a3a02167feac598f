"""What follows from a change of a webhook's health: once, and made good if an invocation crashed over it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from aws_lambda_powertools import Logger

from lambdas.delivery.health_transitions import NOTIFICATION_LEASE, HealthTransitions
from lambdas.domain.webhooks.health import Health, HealthState
from tests.delivery.world import START, World, batch

CHANGED = Health(state=HealthState.FAILING, since=START, unnotified=True, last_reason="503")


def transitions(world: World, portal_url: str = "") -> HealthTransitions:
    """The transitions of *world*."""
    return HealthTransitions(
        states=world, backlog=world, notifier=world, logger=Logger(), count=world.count, portal_url=portal_url
    )


@pytest.mark.parametrize("state", HealthState)
def test_a_transition_is_counted_told_and_noted_as_told(state: HealthState) -> None:
    """Only a recovery has release look at what waits."""
    world = World()
    target = world.webhook(health=replace(CHANGED, state=state))
    world.park([(batch(), START + timedelta(hours=1))], now=START)

    transitions(world, "https://portal.gov").made(target, now=START + timedelta(seconds=1))

    assert world.counted == {f"Webhooks{state.value.capitalize()}": 1}
    assert bool(list(world.due(now=START + timedelta(seconds=1)))) is (state is HealthState.HEALTHY)
    [(topic, _, text)] = world.notified
    assert topic == "ses-feedback-i1-alerts"
    assert "Events waiting: about 1\n" in text
    assert text.endswith("https://portal.gov/instances/i1/webhooks/w1")
    assert world.health() == replace(CHANGED, state=state, unnotified=False, record=1)


@pytest.mark.parametrize(
    ("health", "told"),
    [
        (CHANGED, True),
        (replace(CHANGED, since=START + timedelta(seconds=1)), False),  # perhaps it is being told at this moment
        (replace(CHANGED, unnotified=False), False),
        (replace(CHANGED, since=None), False),
    ],
)
def test_a_transition_that_nobody_was_told_of_for_two_minutes_is_told_again(health: Health, told: bool) -> None:
    """The invocation that made it has crashed by then."""
    assert timedelta(minutes=2) == NOTIFICATION_LEASE
    world = World()
    target = world.webhook(health=health)
    transitions(world).notify_again(target, now=START + NOTIFICATION_LEASE + timedelta(seconds=1))
    assert bool(world.notified) is told
    assert world.counted == {}


def test_a_notification_does_not_mark_a_later_transition_as_told() -> None:
    """It was made while the mail was sent, and has a mail of its own."""
    world = World()
    target = world.webhook(health=CHANGED)
    world.set_health(since=START + timedelta(seconds=5), state=HealthState.HEALTHY)
    transitions(world).made(target, now=START)
    assert world.health().unnotified
