"""Webhooks with `notification_batch`: what is posted together, and what becomes of it when it fails."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from lambdas.domain.webhooks.attempt import NoResponse, Response
from lambdas.domain.webhooks.batch import batch_id
from lambdas.domain.webhooks.delivery import Delivery, DeliveryBatch
from lambdas.domain.webhooks.health import HealthState
from lambdas.domain.webhooks.webhook import NotificationFormat
from tests.delivery.world import OK, START, Reader, World, batch, delivery


@pytest.fixture
def world() -> World:
    """A webhook `w1` that wants up to ten events in a request."""
    world = World()
    world.webhook(batch=10)
    return world


def ids(count: int, first: int = 0) -> list[str]:
    """Ids of so many deliveries."""
    return [f"msg_{number}" for number in range(first, first + count)]


def of(*numbers: str) -> str:
    """The webhook-id of a batch of these deliveries."""
    return batch_id(delivery(number) for number in numbers)


def events(world: World) -> list[list[str]]:
    """The ids of the events of each request so far."""
    return [[event["id"] for event in json.loads(body)["data"]] for body in world.bodies]


def refusing(status: int, *bad: str) -> Reader:
    """A receiver that answers so whenever one of the events *bad* is in a request."""

    def answer(body: bytes) -> Response:
        ids_ = {event["id"] for event in json.loads(body)["data"]}
        return Response(status=status) if ids_ & set(bad) else OK

    return answer


def until_quiet(world: World, rounds: int = 60) -> None:
    """Let what is in the queue be delivered until it is empty, each message after its delay."""
    for _ in range(rounds):
        if not world.later + world.slow:
            return
        delay = max(delay for _, delay in world.later + world.slow)
        world.now += timedelta(seconds=delay)
        world.deliver(*world.queued(), prompt=False)


def test_a_message_is_one_request_signed_once(world: World) -> None:
    """It holds each event with its own id, under an id of its own."""
    world.deliver(batch("w1", *ids(10)))

    assert world.posted == [("w1", of(*ids(10)))]
    assert events(world) == [ids(10)]
    assert world.headers[0]["content-type"] == "application/json"
    assert world.headers[0]["webhook-id"] == of(*ids(10))


def test_one_event_is_a_batch_too(world: World) -> None:
    """So that a receiver has one form to read."""
    world.deliver(batch("w1", "msg_1"))

    assert json.loads(world.bodies[0])["type"] == "batch"
    assert events(world) == [["msg_1"]]


def test_a_webhook_test_is_a_batch_of_one(world: World) -> None:
    """Its result is noted, and no event is put beside it."""
    test = DeliveryBatch(
        instance_id="i1", webhook_id=batch().webhook_id, attempt=1, deliveries=(delivery("msg_t", "webhook.test"),)
    )

    world.deliver(test, batch("w1", *ids(10)))

    assert sorted(events(world)) == sorted([["msg_t"], ids(10)])
    assert world.tests == [("w1", "204")]


def test_a_pause_comes_as_a_batch_too(world: World) -> None:
    """Our own notices are in the same form as events."""
    paused = replace(batch(), deliveries=(delivery("msg_p", "reputation.paused"),))

    world.deliver(paused)

    assert events(world) == [["msg_p"]]


def test_messages_that_come_together_are_stored_as_one_before_it_is_posted(world: World) -> None:
    """Nothing is posted before the queue has the membership; then it is posted as it is."""
    world.deliver(batch("w1", "msg_1"), batch("w1", "msg_2"), batch("w1", "msg_3"))
    assert world.posted == []
    ((stored, delay),) = world.later

    world.deliver(*world.queued())

    assert (stored.fixed, delay) == (True, 0)
    assert world.posted == [("w1", of("msg_1", "msg_2", "msg_3"))]


def test_a_stored_batch_is_not_gathered_again(world: World) -> None:
    """Else its id would change when it comes again."""
    stored = replace(batch("w1", "msg_1", "msg_2"), fixed=True)

    world.deliver(stored, batch("w1", "msg_3"))

    assert events(world) == [["msg_1", "msg_2"], ["msg_3"]]


def test_a_message_that_comes_again_is_posted_as_it_was(world: World) -> None:
    """An invocation may have posted it and crashed before it was acknowledged."""
    world.deliver(batch("w1", "msg_1"), batch("w1", "msg_2"), seen=True)

    assert events(world) == [["msg_1"], ["msg_2"]]
    assert world.later == []


def test_full_messages_do_not_wait_for_those_that_are_not(world: World) -> None:
    """They are posted at once."""
    world.deliver(batch("w1", *ids(10)), batch("w1", "msg_98"), batch("w1", "msg_99"))

    assert events(world) == [ids(10)]
    assert [[one.id for one in stored.deliveries] for stored, _ in world.later] == [["msg_98", "msg_99"]]


def test_an_event_that_was_fanned_out_twice_is_in_a_batch_once(world: World) -> None:
    """Feedback sends an event again if it crashed after the first time."""
    world.deliver(batch("w1", "msg_1", "msg_2"), batch("w1", "msg_2", "msg_3"))
    world.deliver(*world.queued())

    assert events(world) == [["msg_1", "msg_2", "msg_3"]]


def test_if_the_queue_does_not_take_what_was_gathered_the_messages_come_back(world: World) -> None:
    """Nothing was posted, and nothing is lost."""
    world.broken.add("queue")

    failed = world.deliver(batch("w1", "msg_1"), batch("w1", "msg_2"))

    assert (failed, world.posted) == (["0", "1"], [])


def test_an_older_larger_message_is_split_the_same_way_each_time(world: World) -> None:
    """The webhook had no batches, or larger ones, when it was queued."""
    for seen in (False, True):
        world.deliver(batch("w1", *ids(25)), seen=seen)

    assert sorted({ids_ for _, ids_ in world.posted}) == sorted([of(*ids(10)), of(*ids(10, 10)), of(*ids(5, 20))])
    assert len(world.posted) == 6


def test_without_batches_any_longer_events_go_alone() -> None:
    """What was gathered before the webhook was changed is posted event by event."""
    world = World()
    world.webhook()

    world.deliver(replace(batch("w1", "msg_1", "msg_2"), fixed=True))

    assert world.posted == [("w1", "msg_1"), ("w1", "msg_2")]


def test_events_written_in_a_format_without_batches_go_alone(world: World) -> None:
    """They were rendered before the webhook's format was changed."""
    old = [replace(delivery(id_), format=NotificationFormat.SNS) for id_ in ("msg_1", "msg_2")]

    world.deliver(replace(batch(), deliveries=tuple(old)))

    assert world.posted == [("w1", "msg_1"), ("w1", "msg_2")]


@pytest.mark.parametrize("answer", [Response(status=503), Response(status=404), NoResponse(reason="timeout")])
def test_a_batch_that_failed_is_retried_whole_with_its_id(world: World, answer: Response | NoResponse) -> None:
    """By the retry schedule, as a delivery is."""
    world.behaviours["w1"] = lambda: answer
    world.deliver(batch("w1", *ids(3)), prompt=False)
    assert [delay for _, delay in world.later + world.slow] == [5]
    world.behaviours.clear()

    world.deliver(*world.queued(), batch("w1", "msg_9"), prompt=False)

    assert ("w1", of(*ids(3))) in world.posted[1:]
    assert sorted(events(world)[1:]) == [ids(3), ["msg_9"]]


@pytest.mark.parametrize("status", [400, 422])
def test_a_batch_is_halved_when_it_is_refused_for_the_second_time(world: World, status: int) -> None:
    """Once may be a mishap. The halves go at once, each with an id of its own."""
    world.readers["w1"] = refusing(status, "msg_3")

    world.deliver(batch("w1", *ids(4)))
    assert [(len(one.deliveries), delay) for one, delay in world.later] == [(4, 5)]
    world.deliver(*world.queued())

    assert [([one.id for one in half.deliveries], delay) for half, delay in world.later] == [
        (ids(2), 0),
        (ids(2, 2), 0),
    ]
    assert [id_ for _, id_ in world.posted] == [of(*ids(4))] * 2


def test_a_batch_that_is_too_large_is_halved_at_once(world: World) -> None:
    """413 says all."""
    world.readers["w1"] = lambda body: Response(status=413) if len(json.loads(body)["data"]) > 2 else OK

    world.deliver(batch("w1", *ids(8)))
    until_quiet(world)

    assert [len(some) for some in events(world)] == [8, 4, 4, 2, 2, 2, 2]


def test_a_failure_of_another_kind_does_not_count_as_a_refusal(world: World) -> None:
    """400, 503, 400: halved after the second 400."""
    statuses = iter([400, 503, 400])
    world.behaviours["w1"] = lambda: Response(status=next(statuses))
    world.deliver(batch("w1", *ids(4)))

    world.deliver(*world.queued())
    assert [len(one.deliveries) for one, _ in world.later + world.slow] == [4]
    world.deliver(*world.queued(), prompt=False)

    assert [len(one.deliveries) for one, _ in world.later + world.slow] == [2, 2]


@pytest.mark.parametrize("status", [400, 413, 422])
def test_one_bad_event_among_a_hundred_holds_the_others_less_than_a_minute(status: int) -> None:
    """Halving finds it; alone it is retried like any delivery."""
    world = World()
    world.webhook(batch=100)
    world.readers["w1"] = refusing(status, "msg_42")
    world.deliver(batch("w1", *ids(100)), prompt=False)
    arrived: set[str] = set()
    for _ in range(30):
        arrived |= {id_ for some in events(world) if "msg_42" not in some for id_ in some}
        if len(arrived) == 99:
            break
        world.now += timedelta(seconds=max(delay for _, delay in world.later + world.slow))
        world.deliver(*world.queued(), prompt=False)

    assert len(arrived) == 99
    assert world.now - START < timedelta(minutes=1)
    (last,) = [one for one, _ in world.later + world.slow] or [one.batch for one in world.parked.values() if one.batch]
    assert [one.id for one in last.deliveries] == ["msg_42"]


def test_a_failing_webhook_is_recovered_by_a_half_of_its_only_batch(world: World) -> None:
    """Else a bad event in the only batch that waits would keep it failing for ever."""
    world.set_health(state=HealthState.FAILING, since=START, failures=5, probe_at=START)
    world.readers["w1"] = refusing(400, "msg_3")
    world.deliver(batch("w1", *ids(4)), prompt=False)
    for _ in range(12):
        world.now += timedelta(minutes=20)
        world.release()
        world.deliver(*world.queued(), prompt=False)

    assert {id_ for some in events(world) if "msg_3" not in some for id_ in some} == set(ids(3))
    assert world.counted["WebhooksHealthy"] == 1


def test_a_batch_that_is_parked_keeps_its_membership(world: World) -> None:
    """It was posted before the webhook was failing."""
    world.set_health(state=HealthState.FAILING, since=START, failures=5, probe_at=START)
    world.behaviours["w1"] = lambda: Response(status=503)
    world.deliver(batch("w1", *ids(3)), batch("w1", "msg_9"), prompt=False)
    world.behaviours.clear()
    for _ in range(4):
        world.now += timedelta(minutes=20)
        world.release()
        world.deliver(*world.queued(), prompt=False)

    posted = [id_ for _, id_ in world.posted]
    assert posted.count(of(*ids(3))) == 2
    assert {id_ for some in events(world) for id_ in some} == {*ids(3), "msg_9"}


def test_what_is_given_up_in_a_prompt_invocation_is_posted_again_as_it_was(world: World) -> None:
    """The receiver may have it already."""
    world.behaviours["w1"] = lambda: NoResponse(reason="timeout")
    world.deliver(batch("w1", *ids(3)))
    world.behaviours.clear()

    world.deliver(*world.queued(), batch("w1", "msg_9"), prompt=False)

    assert [id_ for _, id_ in world.posted].count(of(*ids(3))) == 2


def test_the_archive_keeps_events_so_that_each_can_be_replayed_alone(world: World) -> None:
    """A replay gathers anew; events keep their ids."""
    world.deliver(batch("w1", *ids(3)))

    (kept,) = world.kept
    assert [one.id for one in kept.deliveries] == ids(3)
    assert not kept.fixed


def test_events_are_counted_and_not_requests(world: World) -> None:
    """Of what was delivered, and of what failed."""
    world.deliver(batch("w1", *ids(7)))
    world.behaviours["w1"] = lambda: Response(status=503)
    world.deliver(batch("w1", *ids(3, 7)))

    assert (world.counted["DeliveriesMade"], world.counted["DeliveriesFailed"]) == (7, 3)
    assert world.counted["FirstAttempts"] == 10


def test_the_time_that_a_webhook_wants_events_gathered_is_no_delay_of_ours() -> None:
    """The service level leaves it out."""
    world = World()
    world.webhook(batch=10, batch_seconds=60)
    world.now += timedelta(seconds=62)

    world.deliver(batch("w1", *ids(2)))

    assert world.seconds["EventToWebhookSeconds"] == [2, 2]
    assert world.counted["FirstAttemptsLate"] == 0


def test_the_failed_attempt_of_a_batch_is_shown_as_one(world: World) -> None:
    """With the id that the receiver saw."""
    world.behaviours["w1"] = lambda: Response(status=503)

    world.deliver(batch("w1", *ids(3)))

    (failed,) = world.health().attempts
    assert (failed.delivery, failed.type) == (of(*ids(3)), "batch")


def test_large_events_are_no_more_in_a_request_than_it_may_hold() -> None:
    """256 KB."""
    world = World()
    world.webhook(batch=100)
    large: list[Delivery] = [delivery(id_, body='{"x":"' + "x" * 19_000 + '"}') for id_ in ids(30)]

    world.deliver(replace(batch(), deliveries=tuple(large)))

    assert all(len(body) <= 256_000 for body in world.bodies)
    assert sum(map(len, events(world))) == 30
