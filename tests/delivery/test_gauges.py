"""What the backlog's metrics say: how much waits, how old it is, for how many unwell webhooks."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from aws_lambda_powertools import Logger

from lambdas.delivery import gauges
from lambdas.delivery.gauges import EVERY, BacklogGauges
from lambdas.domain.webhooks.backlog import Parked, Partition
from lambdas.domain.webhooks.health import Health, HealthState
from tests.delivery.world import START, World, batch

DAY = timedelta(days=1)


class Counting(World):
    """A world that counts the reads of partitions."""

    reads = 0

    def read(self, partition: Partition, **limits: Any) -> list[Parked]:
        """A partition's parked items."""
        assert limits == {"limit": 1}
        self.reads += 1
        return super().read(partition, **limits)


def gauged(world: World) -> dict[str, list[float]]:
    """The metrics of one measurement."""
    found: dict[str, list[float]] = {}
    BacklogGauges(
        partitions=world,
        states=world,
        count=lambda name, value: found.setdefault(name, []).append(value),
        seconds=lambda name, values: found.setdefault(name, []).extend(values),
        logger=Logger(),
    ).record_if_due(now=world.now)
    return found


def park(world: World, webhook: str, *, age: timedelta, due: datetime, health: Health | None = None) -> None:
    """A webhook with one delivery that was fanned out so long ago."""
    world.webhook(webhook, health=health)
    world.park([(batch(webhook, f"msg_{webhook}", created_at=world.now - age), due)], now=world.now)


def test_an_empty_backlog_is_recorded_as_nothing() -> None:
    """So that an alarm ends."""
    assert gauged(World()) == {
        "BacklogWaiting": [0],
        "BacklogOldestSeconds": [0.0],
        "BacklogWebhooksFailing": [0],
        "BacklogWebhooksDisabled": [0],
    }


def test_the_oldest_delivery_is_a_failing_or_a_disabled_webhooks() -> None:
    """Overdue, because one probe at a time goes out; or due when it expires."""
    world = World()
    failing = Health(state=HealthState.FAILING, since=START - 2 * DAY, probe_at=START + DAY)
    disabled = Health(state=HealthState.DISABLED, since=START - 6 * DAY)
    park(world, "retrying", age=DAY / 2, due=START + DAY / 2)
    park(world, "failing", age=2 * DAY, due=START - 2 * DAY, health=failing)
    assert gauged(world)["BacklogOldestSeconds"] == [2 * 86_400]

    park(world, "disabled", age=11 * DAY, due=START + 3 * DAY, health=disabled)
    assert gauged(world) == {
        "BacklogWaiting": [3],
        "BacklogOldestSeconds": [11 * 86_400],
        "BacklogWebhooksFailing": [1],
        "BacklogWebhooksDisabled": [1],
    }


def test_a_thousand_webhooks_cost_twenty_reads() -> None:
    """Beside their marks: those due for longest, and those that expire first."""
    world = Counting()
    for number in range(1_000):
        side = -1 if number % 2 else 2
        park(world, f"w{number}", age=DAY, due=START + side * DAY + timedelta(seconds=number))
    assert gauged(world)["BacklogWaiting"] == [1_000]
    assert world.reads == 20


def test_more_marks_than_can_be_read_in_time_are_measured_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Release has other things to do."""
    monkeypatch.setattr(gauges, "MOST", 3)
    world = World()
    for number in range(5):
        park(world, f"w{number}", age=DAY, due=START)
    assert gauged(world)["BacklogWaiting"] == [3]


def test_it_is_measured_once_in_five_minutes() -> None:
    """Release runs each minute, give or take."""
    world, times = World(), list[int]()
    made = BacklogGauges(
        partitions=world,
        states=world,
        count=lambda name, _: times.append(1) if name == "BacklogWaiting" else None,
        seconds=lambda *_: None,
        logger=Logger(),
    )
    for minute in range(11):
        made.record_if_due(now=START + timedelta(minutes=minute, seconds=minute % 3))
    assert len(times) == 3
    assert timedelta(minutes=5) == EVERY


def test_a_backlog_that_cannot_be_measured_keeps_nothing_from_being_released() -> None:
    """It is logged."""

    class Refusing(World):
        def marked(self) -> Iterator[tuple[Partition, datetime]]:
            raise TimeoutError

    assert gauged(Refusing()) == {}


@pytest.mark.parametrize(
    ("due", "read"),
    [
        (timedelta(0), True),
        (timedelta(seconds=1), False),
        (timedelta(days=1, hours=3), False),
        (timedelta(days=1, hours=3, seconds=1), True),
    ],
)
def test_only_what_is_overdue_or_waits_for_its_expiry_is_read(due: timedelta, read: bool) -> None:
    """Between them are those that wait for a retry: a day at most, with its jitter."""
    world = Counting()
    park(world, "w1", age=DAY, due=START + due)
    assert gauged(world)["BacklogOldestSeconds"] == [86_400 if read else 0]
    assert world.reads == int(read)


def test_a_webhook_with_several_partitions_is_one_unwell_webhook() -> None:
    """And one with a new URL is failing, not disabled any more."""
    world = World(shards=2)
    disabled = Health(state=HealthState.DISABLED, since=START - DAY)
    for _ in range(2):
        park(world, "w1", age=DAY, due=START, health=disabled)
        world.park([(batch("w1", "other"), START)], now=START)
    assert gauged(world)["BacklogWebhooksDisabled"] == [1]
    world.webhook("w1", health=disabled, version=2)
    found = gauged(world)
    assert (found["BacklogWebhooksFailing"], found["BacklogWebhooksDisabled"]) == ([1], [0])
