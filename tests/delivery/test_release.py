"""Rounds of release: what is due goes back to the queue, as its webhook's health allows."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from lambdas.domain.webhooks.backlog import Partition
from lambdas.domain.webhooks.delivery import KEPT_FOR, DeliveryBatch
from lambdas.domain.webhooks.health import Health, HealthState
from lambdas.domain.webhooks.webhook import NotificationFormat, WebhookId
from tests.delivery.world import START, Broken, World, batch

MINUTE = timedelta(minutes=1)
FAILING = Health(state=HealthState.FAILING, since=START - timedelta(hours=1), failures=5, probe_at=START + 10 * MINUTE)


def park(world: World, *ids: str, due: timedelta = -MINUTE, at: timedelta = -5 * MINUTE, webhook: str = "w1") -> None:
    """Park one item a given id, due and parked so long from now."""
    for number, id_ in enumerate(ids):
        when = world.now + due + timedelta(seconds=number)
        world.park([(batch(webhook, id_, attempt=3), when)], now=world.now + at)


def sent(world: World) -> list[str]:
    """The ids that went to the queue, in order."""
    return [one.id for each in world.queued() for one in each.deliveries]


def test_a_healthy_webhooks_due_deliveries_go_out_and_the_others_wait_for_their_time() -> None:
    """With the attempt's number they were parked with; the partition rests until the next is due."""
    world = World()
    world.webhook()
    park(world, "a", "b")
    park(world, "later", due=timedelta(hours=2))

    world.release()

    assert [one.attempt for one, _ in world.later] == [3, 3]
    assert sent(world) == ["a", "b"]
    assert list(world.resting.values()) == [START + timedelta(hours=2)]


def test_an_empty_partition_is_not_looked_at_again() -> None:
    """Its mark goes."""
    world = World()
    world.webhook()
    park(world, "a")

    world.release()

    assert world.resting == {}


def test_a_failing_webhook_gets_nothing_until_its_probe_is_due() -> None:
    """Its partition stays marked, so that it is looked at every minute."""
    world = World()
    world.webhook(health=FAILING)
    park(world, "a", "b")

    world.release()

    assert sent(world) == []
    assert list(world.due(now=START))


def test_a_failing_webhook_that_is_due_gets_one_message_as_its_probe() -> None:
    """The oldest; whoever delivers it claims the probe."""
    world = World()
    world.webhook(health=replace(FAILING, probe_at=START))
    park(world, "a", "b", "c")

    world.release()

    assert sent(world) == ["a"]
    assert world.waiting("i1", world.targets.popitem()[0][1]) == 2


def test_a_recovered_webhook_is_sent_all_that_was_parked_before_oldest_first_and_ever_faster() -> None:
    """Those on their retry schedule too: 1 message, 2, 4, 8 and so on while the receiver keeps up."""
    world = World()
    world.webhook(health=Health(since=START - MINUTE, drain=1))
    park(world, *(f"old_{number:02}" for number in range(20)), due=timedelta(hours=3))

    rounds = []
    while world.parked:
        world.wake("i1", next(iter(world.targets))[1], now=world.now)
        world.release()
        rounds.append(sent(world))

    assert [len(each) for each in rounds] == [1, 2, 4, 8, 5]
    assert [one for each in rounds for one in each] == [f"old_{number:02}" for number in range(20)]


def test_draining_slows_down_when_the_receiver_stumbles() -> None:
    """Its backlog must not be what brings it down again."""
    world = World()
    world.webhook(health=Health(since=START - MINUTE, drain=16, failures=1))
    park(world, *(f"m{number:02}" for number in range(40)))

    world.release()

    assert len(sent(world)) == 16
    assert world.health().drain == 4


def test_what_is_parked_after_the_recovery_climbs_its_retry_schedule() -> None:
    """Else a delivery that alone is refused would go out with every round, for ever."""
    world = World()
    world.webhook(health=Health(since=START - MINUTE, drain=4))
    park(world, "refused again", due=timedelta(hours=1), at=timedelta(0))
    world.wake("i1", next(iter(world.targets))[1], now=START)

    world.release()

    assert sent(world) == []
    assert world.health().drain == 0
    assert list(world.resting.values()) == [START + timedelta(hours=1)]


def test_a_disabled_webhooks_deliveries_stay_until_they_expire() -> None:
    """The partition is looked at again when the first of them does."""
    world = World()
    world.webhook(health=replace(FAILING, state=HealthState.DISABLED))
    park(world, "a")

    world.release()

    assert (sent(world), len(world.parked)) == ([], 1)
    assert list(world.resting.values()) == [START + KEPT_FOR]


def test_what_is_older_than_fourteen_days_expires_and_is_counted() -> None:
    """Never silently: the count alarms."""
    world = World()
    world.webhook(health=replace(FAILING, state=HealthState.DISABLED))
    park(world, "a", "b")
    world.now = START + KEPT_FOR

    world.release()

    assert (world.parked, world.counted["DeliveriesExpired"]) == ({}, 2)
    assert world.resting == {}


def test_an_item_that_cannot_be_read_moves_aside_and_its_neighbours_go_out() -> None:
    """It alarms, and is kept as it is."""
    world = World()
    world.webhook()
    park(world, "a", "b", "c")
    key = next(key for key, one in world.parked.items() if one.batch and one.batch.deliveries[0].id == "b")
    world.parked[key] = replace(world.parked[key], batch=None)

    world.release()

    assert sent(world) == ["a", "c"]
    assert (len(world.aside), world.counted["DeliveriesUnreadable"]) == (1, 1)


def test_a_gone_webhooks_partitions_are_forgotten() -> None:
    """The table's own expiry does the rest."""
    world = World()
    park(world, "a")

    world.release()

    assert (sent(world), world.resting) == ([], {})
    assert world.counted["DeliveriesWebhookDeleted"] == 1


def parking_meanwhile(world: World, *ids: str, due: timedelta = MINUTE) -> None:
    """Park in the same partition once release has listed it."""
    listed = world.due

    def due_and_then_park(*, now: datetime) -> Iterator[Partition]:
        found = list(listed(now=now))
        park(world, *ids, due=due)
        return iter(found)

    world.due = due_and_then_park  # type: ignore[method-assign]


def test_what_is_parked_while_its_partition_is_released_is_not_put_to_rest() -> None:
    """The mark that release read is not the latest any more: the next round looks again."""
    world = World()
    world.webhook()
    park(world, "a")
    parking_meanwhile(world, "late")

    world.release()

    assert sent(world) == ["a"]
    assert list(world.resting.values()) == [START - MINUTE]
    assert [one.due for one in world.parked.values()] == [START + MINUTE]


def test_what_is_parked_for_a_webhook_while_it_is_deleted_is_forgotten_and_counted_by_the_next_round() -> None:
    """Once, with all that waits by then."""
    world = World()
    park(world, "a")
    parking_meanwhile(world, "late")

    world.release()
    assert "DeliveriesWebhookDeleted" not in world.counted
    del world.due
    world.release()
    assert (world.counted["DeliveriesWebhookDeleted"], world.resting) == (2, {})


def test_release_sees_a_webhook_as_it_is_and_not_as_it_was_seconds_ago() -> None:
    """One that recovered a moment ago is drained; one that was disabled gets nothing."""
    world = World()
    world.cached["i1", WebhookId("w1")] = world.webhook(health=FAILING)
    world.webhook()
    park(world, "a")
    world.release()
    assert sent(world) == ["a"]

    world = World()
    world.cached["i1", WebhookId("w1")] = world.webhook()
    world.webhook(health=Health(state=HealthState.DISABLED, since=START))
    park(world, "a")
    world.release()
    assert sent(world) == []


def test_a_webhook_that_cannot_be_released_holds_up_no_other() -> None:
    """A fault is logged, counted and tried again by the next round."""
    world = World()
    world.webhook("w1")
    world.webhook("w2")
    park(world, "a", webhook="w1")
    park(world, "b", webhook="w2")
    send = world.send_later

    def refuse_w1(delayed: list[tuple[DeliveryBatch, float]], queue: list[tuple[DeliveryBatch, float]]) -> None:
        if delayed[0][0].webhook_id == "w1":
            raise Broken
        send(delayed, queue)

    world.send_later = refuse_w1  # type: ignore[method-assign,assignment]

    world.release()

    assert sent(world) == ["b"]
    assert world.counted["ReleaseFaults"] == 1
    assert list(world.due(now=START))


@pytest.mark.parametrize("step", ["send", "remove"])
def test_a_death_between_sending_and_taking_out_repeats_deliveries_and_loses_none(step: str) -> None:
    """Sent first, taken out then; ids are the same."""
    world = World()
    world.webhook()
    park(world, "a")
    remove, send = world.remove, world.send_later

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    if step == "send":
        world.send_later = die  # type: ignore[method-assign,assignment]
    else:
        world.remove = die  # type: ignore[method-assign,assignment]
    with pytest.raises(KeyboardInterrupt):
        world.release()
    world.remove, world.send_later = remove, send  # type: ignore[method-assign]
    world.release()

    assert sent(world) == (["a"] if step == "send" else ["a", "a"])


def test_a_digest_goes_out_at_most_once_a_minute_with_all_that_gathered() -> None:
    """SNS's limit is hard."""
    world = World()
    world.webhook("email-b1", format=NotificationFormat.EMAIL, url="arn:aws:sns:us-east-1:1:t")
    park(world, "a", "b", webhook="email-b1")

    world.release()
    park(world, "c", webhook="email-b1")
    world.now += timedelta(seconds=30)
    world.release()
    world.now += timedelta(seconds=30)
    world.release()

    assert [topic for topic, _, _ in world.notified] == ["arn:aws:sns:us-east-1:1:t"] * 2
    assert [subject for _, subject, _ in world.notified] == ["2 bounced (i1)", "1 bounced (i1)"]
    assert world.parked == {}


def test_a_recipient_who_did_not_confirm_yet_finds_all_events_in_the_first_digest() -> None:
    """SNS would have dropped them."""
    world = World(heard=False)
    world.webhook("email-b1", format=NotificationFormat.EMAIL, url="arn:aws:sns:us-east-1:1:t")
    park(world, "a", webhook="email-b1")

    world.release()
    world.heard = True
    world.now += timedelta(minutes=15)
    park(world, "b", webhook="email-b1")
    world.release()

    assert [subject for _, subject, _ in world.notified] == ["2 bounced (i1)"]


def test_a_digest_that_sns_does_not_take_is_sent_by_the_next_round() -> None:
    """What gathered stays where it is."""
    world = World(broken={"sns"})
    world.webhook("email-b1", format=NotificationFormat.EMAIL, url="arn:aws:sns:us-east-1:1:t")
    park(world, "a", webhook="email-b1")

    world.release()
    world.broken.clear()
    world.now += MINUTE
    world.release()

    assert [subject for _, subject, _ in world.notified] == ["1 bounced (i1)"]


def test_a_round_ends_at_its_deadline_and_the_rest_is_for_the_next() -> None:
    """Lambda would end it in the middle of a webhook."""
    world = World()
    for name in ("w1", "w2", "w3"):
        world.webhook(name)
        park(world, name, webhook=name)
    load = world.load

    def load_slowly(*arguments: object, **more: object) -> object:
        world.now += timedelta(seconds=30)
        return load(*arguments, **more)  # type: ignore[arg-type]

    world.load = load_slowly  # type: ignore[method-assign,assignment]
    world.release(seconds=30)
    assert sent(world) == []
    world.release(seconds=31)
    assert sorted(sent(world)) == ["w1", "w2", "w3"]


def test_what_is_spread_over_partitions_is_drained_oldest_first() -> None:
    """A recovered webhook gets its events in about the order in which they were parked, whatever their shard."""
    world = World(shards=3)
    world.webhook(health=Health(since=START, drain=4))
    park(world, *"abcdefgh", due=timedelta(hours=1))
    world.wake("i1", WebhookId("w1"), now=START)

    world.release()
    assert sent(world) == ["a", "b", "c", "d"]
    assert world.health().drain == 8
    world.release()
    assert sent(world) == ["e", "f", "g", "h"]
    assert world.health().drain == 0
    assert world.resting == {}


def test_due_deliveries_of_every_partition_go_out() -> None:
    """None is left behind because another was first."""
    world = World(shards=3)
    world.webhook()
    park(world, *"abcde")

    world.release()

    assert sorted(sent(world)) == list("abcde")
    assert world.resting == {}


def test_each_probe_begins_with_another_partition_and_goes_through_the_slow_queue() -> None:
    """A delivery that alone is refused does not keep the webhook failing."""
    world = World(shards=2)
    world.webhook(health=replace(FAILING, probe_at=START, probes=0))
    park(world, "a", "b")
    world.release()
    first = [one.deliveries[0].id for one, _ in world.slow]
    assert world.later == []
    world.slow.clear()
    world.set_health(probes=1)
    world.release()
    second = [one.deliveries[0].id for one, _ in world.slow]
    assert sorted(first + second) == ["a", "b"]


def test_a_slow_webhooks_deliveries_are_released_to_the_slow_queue() -> None:
    """They would hold up others."""
    world = World()
    world.webhook(health=Health(slow_until=START + MINUTE))
    park(world, "a")

    world.release()

    assert ([one.deliveries[0].id for one, _ in world.slow], world.later) == (["a"], [])


def test_a_round_sends_two_hundred_messages_of_a_webhook_and_the_next_one_goes_on() -> None:
    """Its partition is not put to rest before."""
    world = World()
    world.webhook()
    park(world, *(f"m{number:03}" for number in range(201)), due=-timedelta(hours=1))

    world.release()
    assert len(sent(world)) == 200
    assert list(world.due(now=START))
    world.release()
    assert sent(world) == ["m200"]
    assert world.resting == {}
    assert world.counted == {"DeliveriesReleased": 201}


def test_two_hundred_messages_are_all_of_a_round_and_the_partition_rests() -> None:
    """Exactly as many as it sends."""
    world = World()
    world.webhook()
    park(world, *(f"m{number:03}" for number in range(200)), due=-timedelta(hours=1))

    world.release()

    assert len(sent(world)) == 200
    assert world.resting == {}


def test_a_full_partition_leaves_the_others_one_message_each_in_a_round() -> None:
    """So that none is held up by the first."""
    world = World(shards=2)
    world.webhook()
    park(world, *(f"m{number:03}" for number in range(404)), due=-timedelta(hours=1))

    world.release()

    released = sent(world)
    assert len(released) == 201
    assert {int(one[1:]) % 2 for one in released} == {0, 1}


def test_partitions_share_the_two_hundred_messages_of_a_round() -> None:
    """What the first did not need is the second's."""
    world = World(shards=2)
    world.webhook()
    park(world, *(f"m{number:03}" for number in range(300)), due=-timedelta(hours=1))

    world.release()

    assert len(sent(world)) == 150 + 50


def test_a_probe_is_one_message_of_the_first_partition_that_holds_one() -> None:
    """An item that cannot be read does not take its place for ever."""
    world = World(shards=2)
    world.webhook(health=replace(FAILING, probe_at=START))
    park(world, "bad", "b", "c", "d")
    key = next(key for key, one in world.parked.items() if one.batch and one.batch.deliveries[0].id == "bad")
    world.parked[key] = replace(world.parked[key], batch=None, count=7)

    world.release()

    assert sent(world) == ["b"]
    assert world.counted == {"DeliveriesUnreadable": 7, "DeliveriesReleased": 1}
    world.release()
    assert len(sent(world)) == 1


def test_what_expires_is_counted_by_delivery_and_at_its_moment() -> None:
    """Fourteen days after the fan-out."""
    world = World()
    world.webhook()
    world.park([(batch("w1", "a", "b"), START), (batch("w1", "c", created_at=START + MINUTE), START)], now=START)
    world.now = START + KEPT_FOR

    world.release()

    assert (sent(world), world.counted) == (["c"], {"DeliveriesExpired": 2, "DeliveriesReleased": 1})


def test_a_digest_holds_twenty_messages_of_each_partition() -> None:
    """The rest is in the next."""
    world = World()
    world.webhook("email-b1", format=NotificationFormat.EMAIL, url="arn:aws:sns:us-east-1:1:t")
    park(world, *(f"m{number:02}" for number in range(25)), webhook="email-b1")

    world.release()
    world.now += MINUTE
    world.release()

    assert [subject for _, subject, _ in world.notified] == ["20 bounced (i1)", "5 bounced (i1)"]
    assert world.counted == {"DeliveriesMade": 25}
    assert world.resting == {}


def test_a_digest_whose_recipient_did_not_confirm_is_tried_again_after_a_quarter_of_an_hour() -> None:
    """SNS need not be asked each minute."""
    world = World(heard=False)
    world.webhook("email-b1", format=NotificationFormat.EMAIL, url="arn:aws:sns:us-east-1:1:t")
    park(world, "a", webhook="email-b1")

    world.release()
    assert world.health("email-b1").probe_at == START + 15 * MINUTE
    world.heard = True
    world.now += 15 * MINUTE - timedelta(seconds=1)
    world.release()
    assert world.notified == []
    world.now += timedelta(seconds=1)
    world.release()
    assert len(world.notified) == 1
    assert world.health("email-b1").probe_at == world.now + MINUTE


def test_of_two_rounds_at_once_one_sends_the_digest() -> None:
    """The other sees the webhook as it was, and loses the claim."""
    world = World()
    world.webhook("email-b1", format=NotificationFormat.EMAIL, url="arn:aws:sns:us-east-1:1:t")
    stale = dict(world.targets)
    park(world, "a", webhook="email-b1")
    world.set_health("email-b1", probe_at=START + timedelta(seconds=30))
    world.load = lambda keys, **_: {key: stale[key] for key in keys}  # type: ignore[method-assign]

    world.release()

    assert (world.notified, len(world.parked)) == ([], 1)
    assert world.health("email-b1").probe_at == START + timedelta(seconds=30)


def test_events_for_a_topic_that_is_gone_are_counted_as_such() -> None:
    """Its binding went a moment ago."""
    world = World()
    world.webhook("email-b1", format=NotificationFormat.EMAIL, url="arn:aws:sns:us-east-1:1:t")
    park(world, "a", "b", webhook="email-b1")
    world.notify = lambda *_, **__: False  # type: ignore[method-assign]

    world.release()

    assert (world.counted, world.parked) == ({"DeliveriesWebhookDeleted": 2}, {})


def test_a_drain_goes_on_while_anything_is_left_and_slowly_for_a_slow_webhook() -> None:
    """What was parked after the recovery, and is due, is drained with the rest."""
    world = World()
    world.webhook(health=Health(since=START - MINUTE, drain=1, slow_until=START + MINUTE))
    park(world, "old", due=timedelta(hours=3))
    park(world, "new", due=-MINUTE, at=timedelta(0))
    world.wake("i1", WebhookId("w1"), now=START)

    world.release()
    assert ([one.deliveries[0].id for one, _ in world.slow], world.later) == (["new"], [])
    assert world.health().drain == 2
    world.release()
    assert [one.deliveries[0].id for one, _ in world.slow] == ["new", "old"]
    assert world.health().drain == 0
