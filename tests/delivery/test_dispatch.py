"""One invocation: who is tried, what is learned, and where everything goes that did not get through."""

from dataclasses import replace
from datetime import timedelta

import pytest

from lambdas.delivery.attempts import PATIENCE
from lambdas.delivery.concurrency import FIRST, MOST, PER_INSTANCE
from lambdas.delivery.observability import ATTEMPT_FACTS
from lambdas.domain.webhooks.attempt import NoResponse, Response
from lambdas.domain.webhooks.delivery import KEPT_FOR, DeliveryBatch
from lambdas.domain.webhooks.health import SLOW_FOR, Health, HealthState
from lambdas.domain.webhooks.webhook import NotificationFormat, WebhookId
from tests.delivery.world import OK, START, World, batch, delivery

FAILING = Health(
    state=HealthState.FAILING,
    since=START - timedelta(hours=1),
    failures=5,
    first_failure=START - timedelta(hours=2),
    probe_at=START + timedelta(minutes=10),
)
TIMEOUT = NoResponse(reason="timeout")


def ids(batches: list[DeliveryBatch]) -> set[str]:
    """The ids of all deliveries in *batches*."""
    return {one.id for each in batches for one in each.deliveries}


def many(webhook: str, number: int) -> DeliveryBatch:
    """A batch of so many deliveries."""
    return batch(webhook, *(f"msg_{webhook}_{each:03}" for each in range(number)))


def test_what_is_delivered_is_acknowledged_kept_for_replay_and_writes_no_health() -> None:
    """The common case costs one write to the archive."""
    world = World()
    world.webhook()

    assert world.deliver(many("w1", 50)) == []

    assert len(world.posted) == 50
    assert ids(world.kept) == {one for _, one in world.posted}
    assert (world.writes, world.later, world.parked) == (0, [], {})


def test_a_failure_goes_back_alone_as_the_next_attempt_after_the_schedules_wait() -> None:
    """The others of its message are done."""
    world = World()
    world.webhook()
    answers = iter([Response(status=200), Response(status=404), Response(status=200)])
    world.behaviours["w1"] = lambda: next(answers)

    assert world.deliver(batch("w1", "a", "b", "c")) == []

    ((retried, delay),) = world.later
    assert (retried.attempt, [one.id for one in retried.deliveries], delay) == (2, ["b"], 5)


def test_a_wait_over_fifteen_minutes_is_parked() -> None:
    """SQS cannot delay that long, and waiting by visibility would fill the queue's in-flight slots."""
    world = World()
    world.webhook()
    world.behaviours["w1"] = lambda: Response(status=500)

    world.deliver(batch("w1", attempt=3))

    (parked,) = world.parked.values()
    assert parked.due == START + timedelta(minutes=30)
    assert parked.batch is not None
    assert parked.batch.attempt == 4


def test_the_end_of_the_retry_schedule_is_parked_until_it_expires_and_counted() -> None:
    """It goes out when the webhook recovers, or on replay."""
    world = World()
    world.webhook()
    world.behaviours["w1"] = lambda: Response(status=500)

    world.deliver(batch("w1", attempt=10))

    assert [one.due for one in world.parked.values()] == [START + KEPT_FOR]
    assert world.counted["DeliveriesExhausted"] == 1


def test_a_receiver_that_asks_for_a_pause_gets_it_for_all_its_deliveries() -> None:
    """429 with Retry-After, longer than the retry schedule's first wait."""
    world = World()
    world.webhook()
    world.behaviours["w1"] = lambda: Response(status=429, retry_after="60")

    world.deliver(many("w1", 20))

    assert len(world.posted) == FIRST
    assert {delay for _, delay in world.later + world.slow} == {60}
    assert ids(world.queued()) == {f"msg_w1_{each:03}" for each in range(20)}


def test_a_webhook_that_hangs_goes_to_the_slow_queue_and_has_not_failed() -> None:
    """The attempts that took too long are given up: they are made again where they may take their time."""
    world = World()
    world.webhook()
    world.behaviours["w1"] = lambda: TIMEOUT

    assert world.deliver(many("w1", 50)) == []

    assert world.deadlines == [2] * FIRST
    assert world.health().failures == 0
    assert world.health().is_slow(now=START)
    assert world.later == []
    assert {(one.attempt, delay) for one, delay in world.slow} == {(1, 0)}
    assert len(ids(world.queued())) == 50


def test_in_the_slow_queue_a_hanging_webhook_holds_few_connections_and_gives_up_soon() -> None:
    """Its first attempts fail together; what was not begun comes back as the attempt it was, to the slow queue."""
    world = World()
    world.webhook()
    world.behaviours["w1"] = lambda: TIMEOUT

    assert world.deliver(many("w1", 50), prompt=False) == []

    assert world.most_running["w1"] == FIRST
    assert world.deadlines == [15] * FIRST
    assert len(world.posted) == PATIENCE
    assert world.health().failures == PATIENCE


def test_a_webhook_known_as_slow_is_not_attempted_among_the_prompt_ones() -> None:
    """Its messages pass on as they are, tests included."""
    world = World()
    world.webhook(health=Health(slow_until=START + timedelta(minutes=1)))
    test = replace(batch(), deliveries=(delivery("t", "webhook.test"),))

    assert world.deliver(batch("w1", "a", attempt=3), test) == []

    assert (world.posted, world.later, world.writes) == ([], [], 0)
    assert sorted((one.attempt, one.deliveries[0].id, delay) for one, delay in world.slow) == [(1, "t", 0), (3, "a", 0)]


def test_an_answer_that_takes_long_is_taken_and_makes_the_webhook_slow() -> None:
    """It is delivered, once; what comes next goes through the slow queue, and its mark is not written each time."""
    world = World()
    world.webhook()

    def answer_late() -> Response:
        world.now += timedelta(seconds=1.5)
        return OK

    world.behaviours["w1"] = answer_late
    world.deliver(batch("w1", "a"))
    assert world.health().is_slow(now=world.now)
    world.deliver(batch("w1", "b"))
    world.deliver(*world.queued(), prompt=False)
    assert [one for _, one in world.posted] == ["a", "b"]
    assert world.writes == 1

    world.now += SLOW_FOR
    world.behaviours["w1"] = lambda: OK
    world.deliver(batch("w1", "c"))
    assert world.posted[-1] == ("w1", "c")


def test_a_new_url_does_not_make_a_slow_webhook_prompt() -> None:
    """Else a tenant could hold its neighbours up by one update after the other."""
    world = World()
    world.webhook(health=Health(slow_until=START + timedelta(minutes=1)), version=7)

    world.deliver(batch())

    assert (world.posted, len(world.slow)) == ([], 1)


def test_secrets_are_decrypted_together_for_what_will_be_attempted_and_for_nothing_else() -> None:
    """Hundreds of calls one after the other would use up an invocation's time; a call for the parked costs."""
    world = World()
    for name, health in {
        "w1": Health(),
        "w2": Health(),
        "slow": Health(slow_until=START + timedelta(minutes=1)),
        "disabled": Health(state=HealthState.DISABLED),
    }.items():
        world.webhook(name, health=health)

    world.deliver(*(batch(name) for name in ("w1", "w2", "slow", "disabled")))

    assert world.decrypted_ahead == ["w1", "w2"]


def test_a_webhook_that_answers_gets_more_connections_but_never_all() -> None:
    """The cap is per webhook."""
    world = World()
    world.webhook()

    world.deliver(many("w1", 50), many("w1", 50))

    assert FIRST < world.most_running["w1"] <= MOST


def test_what_cannot_begin_before_the_deadline_is_sent_again_at_once_as_the_attempt_it_was() -> None:
    """The batch returns in time, whatever hangs; nothing waits in flight."""
    world = World()
    world.webhook("slow")
    world.webhook("w2")

    def slow() -> Response:
        world.now += timedelta(seconds=10)
        return Response(status=200)

    world.behaviours["slow"] = slow

    assert world.deliver(many("slow", 30), seconds=20) == []

    assert world.later == []
    assert {(one.attempt, delay) for one, delay in world.slow} == {(1, 0)}
    delivered = {one for _, one in world.posted}
    assert ids(world.queued()) | delivered == {f"msg_slow_{each:03}" for each in range(30)}


def test_a_failing_webhooks_deliveries_are_parked_without_a_try() -> None:
    """By when they were made, so that they are read oldest first."""
    world = World()
    world.webhook(health=FAILING)

    assert world.deliver(batch("w1", created_at=START - timedelta(minutes=1))) == []

    assert world.posted == []
    assert [one.due for one in world.parked.values()] == [START - timedelta(minutes=1)]


def test_one_delivery_probes_a_failing_webhook_when_it_is_due_and_the_rest_waits() -> None:
    """The first of them claims the probe; nobody else tries."""
    world = World()
    world.webhook(health=replace(FAILING, probe_at=START))
    world.behaviours["w1"] = lambda: Response(status=503)

    world.deliver(many("w1", 10))
    assert (world.posted, world.health().probes) == ([], 0)  # it may hang: through the slow queue
    world.deliver(*world.queued(), prompt=False)

    assert len(world.posted) == 1
    assert world.health().probes == 1
    assert len(ids([one.batch for one in world.parked.values() if one.batch]) | ids(world.queued())) == 10


def test_a_successful_probe_lets_the_rest_of_its_batch_follow_and_wakes_the_backlog() -> None:
    """Healthy is healthy."""
    world = World()
    world.webhook(health=replace(FAILING, probe_at=START - timedelta(seconds=1)))
    world.park([(batch("w1", "old"), START + timedelta(hours=5))], now=START - timedelta(hours=1))

    world.deliver(many("w1", 10), prompt=False)

    assert len(world.posted) == 10
    assert world.health().state is HealthState.HEALTHY
    assert list(world.due(now=START))


def test_a_claimed_probe_is_not_taken_twice() -> None:
    """Another invocation, with a view of a moment ago, loses the conditional write."""
    world = World()
    target = world.webhook(health=replace(FAILING, probe_at=START))
    world.behaviours["w1"] = lambda: Response(status=503)
    stale = dict(world.targets)
    world.change(target, lambda health: replace(health, probe_at=START + timedelta(seconds=30)))
    world.load = lambda keys, **_: {key: stale[key] for key in keys}  # type: ignore[method-assign]

    world.deliver(batch(), prompt=False)

    assert world.posted == []
    assert len(world.parked) == 1


DOUBTED = Health(
    failures=3,
    first_failure=START - timedelta(seconds=3),
    last_failure=START - timedelta(seconds=1.5),
    probe_at=START + timedelta(seconds=3.5),
)


@pytest.mark.parametrize("prompt", [True, False])
def test_deliveries_of_a_webhook_that_failed_three_times_wait_while_others_probe_it(prompt: bool) -> None:
    """In the slow queue, for more than one probe, and without an attempt or a write."""
    world = World()
    world.webhook(health=DOUBTED)

    assert world.deliver(batch("w1", "a"), batch("w1", "b"), prompt=prompt) == []

    assert (world.posted, world.later, world.writes) == ([], [], 0)
    ((waiting, delay),) = world.slow
    assert (waiting.attempt, [one.id for one in waiting.deliveries], delay) == (1, ["a", "b"], 15)


def test_its_test_does_not_wait_for_the_probe() -> None:
    """Whoever repairs a webhook tests it."""
    world = World()
    world.webhook(health=DOUBTED)
    test = replace(batch(), deliveries=(delivery("t", "webhook.test"),))

    world.deliver(batch("w1", "a"), test)

    assert {(one.deliveries[0].id, delay) for one, delay in world.slow} == {("t", 0), ("a", 15)}


def test_a_webhook_that_failed_three_times_gets_one_attempt_however_many_invocations_have_its_deliveries() -> None:
    """They all saw it as it was before the probe was claimed."""
    world = World()
    world.webhook(health=replace(DOUBTED, probe_at=START))
    stale = dict(world.targets)
    world.load = lambda keys, **_: {key: stale[key] for key in keys}  # type: ignore[method-assign]
    world.behaviours["w1"] = lambda: Response(status=503)

    for number in range(5):
        world.deliver(batch("w1", f"a{number}", f"b{number}"), prompt=False)

    assert world.posted == [("w1", "a0")]
    assert world.writes == 2  # the claim and the failure
    assert ids(world.queued()) == {f"{letter}{number}" for letter in "ab" for number in range(5)}


def test_what_came_with_a_failed_probe_makes_the_next_one() -> None:
    """A webhook that gets no new events is probed, too."""
    world = World()
    world.webhook(health=replace(DOUBTED, probe_at=START))
    world.behaviours["w1"] = lambda: Response(status=503)

    world.deliver(batch("w1", "a", "b", "c"), prompt=False)

    assert {(one.attempt, len(one.deliveries), delay) for one, delay in world.slow} == {(2, 1, 5), (1, 2, 5)}


def test_a_probe_of_a_batch_is_what_is_there_and_gathers_nothing() -> None:
    """Else the probe would be claimed for a batch that is only posted later."""
    world = World()
    world.webhook(health=replace(DOUBTED, probe_at=START), batch=10)

    world.deliver(batch("w1", "a"), batch("w1", "b"), prompt=False)

    assert len(world.posted) == 2
    assert world.health().failures == 0


def test_a_successful_probe_lets_the_rest_of_its_invocation_follow() -> None:
    """It was a restart."""
    world = World()
    world.webhook(health=replace(DOUBTED, probe_at=START))

    world.deliver(many("w1", 30), prompt=False)

    assert len(world.posted) == 30
    assert world.health() == Health(attempts=world.health().attempts, last_failure=DOUBTED.last_failure, record=2)


def test_a_receiver_that_asks_for_a_pause_at_a_probe_gets_it() -> None:
    """Longer than until the next probe."""
    world = World()
    world.webhook(health=replace(DOUBTED, probe_at=START))
    world.behaviours["w1"] = lambda: Response(status=503, retry_after="60")

    world.deliver(many("w1", 3), prompt=False)

    assert {delay for _, delay in world.slow} == {60}


def test_a_transition_is_told_once_with_what_the_tenant_must_know() -> None:
    """Through the instance's alert topic: the last result, the first failure, how many wait."""
    world = World()
    world.webhook(
        health=Health(
            failures=2, first_failure=START - timedelta(minutes=1), last_failure=START - timedelta(seconds=30)
        )
    )
    world.behaviours["w1"] = lambda: Response(status=503)

    world.now = START
    world.deliver(batch("w1", "a", attempt=3))
    world.deliver(batch("w1", "b"))

    ((topic, subject, text),) = world.notified
    assert topic == "ses-feedback-i1-alerts"
    assert subject == "Webhook is failing; its events are kept"
    assert "Last result: 503" in text
    assert "First failure: 2026-11-21 03:59:00 UTC" in text
    assert "Events waiting: about" in text
    assert not world.health().unnotified


def test_a_transition_whose_maker_died_is_told_by_who_comes_next() -> None:
    """The write that made it says that nobody was told."""
    world = World()
    world.webhook(health=replace(FAILING, unnotified=True))

    world.deliver(batch())

    assert [subject for _, subject, _ in world.notified] == ["Webhook is failing; its events are kept"]
    assert not world.health().unnotified


def test_an_alert_that_cannot_be_sent_now_holds_nothing_up_and_is_sent_later() -> None:
    """SNS is away for a moment."""
    world = World(broken={"sns"})
    world.webhook(health=replace(FAILING, unnotified=True))

    assert world.deliver(batch()) == []
    world.broken.clear()
    world.deliver(batch("w1", "b"))

    assert len(world.notified) == 1


def test_a_410_disables_the_webhook_and_keeps_the_event() -> None:
    """Enabled again, it gets it."""
    world = World()
    world.webhook()
    world.behaviours["w1"] = lambda: Response(status=410)

    world.deliver(batch())

    assert world.health().state is HealthState.DISABLED
    assert len(world.parked) == 1


def test_the_first_failure_of_a_new_failing_spell_comes_back_as_its_own_probe() -> None:
    """After five seconds: release looks only once a minute."""
    world = World()
    first = START - timedelta(seconds=40)
    world.webhook(health=Health(failures=3, first_failure=first, last_failure=START - timedelta(seconds=10)))
    world.behaviours["w1"] = lambda: TIMEOUT

    world.deliver(batch("w1", "a"), prompt=False)

    assert world.health().state is HealthState.FAILING
    ((probe, delay),) = world.slow
    assert delay >= 5
    assert world.health().probe_at is not None
    assert world.now + timedelta(seconds=delay) >= world.health().probe_at  # type: ignore[operator]
    assert [one.id for one in probe.deliveries] == ["a"]


def test_a_gone_webhooks_deliveries_are_counted_and_acknowledged() -> None:
    """It went with its last binding."""
    world = World()

    assert world.deliver(batch("gone", "a", "b")) == []

    assert world.counted == {"DeliveriesWebhookDeleted": 2}


def test_userinfo_becomes_basic_auth() -> None:
    """And goes nowhere else."""
    world = World()
    world.webhook("w-auth")

    world.deliver(batch("w-auth"))

    assert world.headers[0]["authorization"] == "Basic am9lOnB3"


def test_the_old_secret_signs_beside_the_new_one_until_its_end() -> None:
    """Two signatures for 24 hours, then one."""
    world = World()
    world.webhook(previous_ciphertext=b"old", previous_expires_at=START + timedelta(hours=1))

    world.deliver(batch("w1", "a"))
    world.now += timedelta(hours=2)
    world.deliver(batch("w1", "b"))

    assert [len(headers["webhook-signature"].split(" ")) for headers in world.headers] == [2, 1]


def test_an_emails_deliveries_gather_in_the_backlog() -> None:
    """Release makes digests of them."""
    world = World()
    world.webhook("email-b1", format=NotificationFormat.EMAIL, url="arn:aws:sns:us-east-1:1:t", ciphertext=b"")

    test = replace(batch("email-b1"), deliveries=(delivery("t", "webhook.test"),))

    assert world.deliver(batch("email-b1"), test) == []

    assert (world.posted, world.waiting("i1", WebhookId("email-b1"))) == ([], 2)


@pytest.mark.parametrize("health", [Health(), FAILING, replace(FAILING, state=HealthState.DISABLED)])
def test_a_test_is_tried_once_whatever_the_health_and_a_failed_one_changes_nothing(health: Health) -> None:
    """At bind the application is not up yet."""
    world = World()
    world.webhook(health=health)
    world.behaviours["w1"] = lambda: Response(status=404)
    test = replace(batch(), deliveries=(delivery("t", "webhook.test"),))

    assert world.deliver(test) == []

    assert world.tests == [("w1", "404")]
    assert (world.health(), world.later, world.parked) == (health, [], {})


def test_a_test_that_gets_through_has_a_failing_webhook_probed_at_once() -> None:
    """By release, or by the next event."""
    world = World()
    world.webhook(health=FAILING)
    world.park([(batch("w1", "old"), START + timedelta(hours=5))], now=START - timedelta(hours=1))

    world.deliver(replace(batch(), deliveries=(delivery("t", "webhook.test"),)))

    assert world.health().may_probe(now=START)
    assert list(world.due(now=START))


def test_a_secret_that_cannot_be_had_now_brings_its_messages_back_and_no_others() -> None:
    """KMS's fault is ours, not the receiver's."""
    world = World(broken={"kms w1"})
    world.webhook("w1")
    world.webhook("w2")

    assert world.deliver(batch("w1", "a"), batch("w2", "b"), batch("w1", "c")) == ["0", "2"]

    assert world.posted == [("w2", "b")]
    assert world.health("w1") == Health()


def test_a_backlog_that_does_not_answer_brings_the_messages_back_and_no_others() -> None:
    """Nothing is acknowledged that is neither delivered nor kept."""
    world = World(broken={"backlog w1"})
    world.webhook("w1", health=FAILING)
    world.webhook("w2", health=FAILING)

    assert world.deliver(batch("w1", "a"), batch("w2", "b")) == ["0"]

    assert [one.partition.webhook_id for one in world.parked.values()] == ["w2"]


def test_a_queue_that_does_not_answer_brings_back_what_it_should_have_taken() -> None:
    """What was delivered stays delivered."""
    world = World(broken={"queue"})
    world.webhook("w1")
    world.webhook("w2")
    world.behaviours["w1"] = lambda: Response(status=500)

    assert world.deliver(batch("w1", "a"), batch("w2", "b")) == ["0"]


def test_a_health_that_cannot_be_written_brings_the_message_back() -> None:
    """Its deliveries repeat under the same ids."""
    world = World(broken={"health"})
    world.webhook()
    world.behaviours["w1"] = lambda: Response(status=500)

    assert world.deliver(batch()) == ["0"]


def test_an_archive_that_does_not_answer_is_no_reason_to_deliver_again() -> None:
    """It is counted, and alarms."""
    world = World(broken={"archive"})
    world.webhook()

    assert world.deliver(batch()) == []

    assert world.counted["DeliveriesNotKept"] == 1


def test_a_webhook_removed_while_it_was_tried_ends_quietly() -> None:
    """Unbound in the middle of a batch."""
    world = World()
    world.webhook()

    def vanish() -> Response:
        world.targets.clear()
        return Response(status=500)

    world.behaviours["w1"] = vanish

    assert world.deliver(batch()) == []


def test_one_webhook_in_ten_hanging_holds_up_no_other() -> None:
    """Each has a share of its own."""
    world = World()
    for number in range(10):
        world.webhook(f"w{number}")
    world.behaviours["w3"] = lambda: TIMEOUT

    assert world.deliver(*(many(f"w{number}", 50) for number in range(10))) == []

    delivered = [webhook for webhook, _ in world.posted if webhook != "w3"]
    assert len(delivered) == 450
    assert len(world.posted) - len(delivered) == FIRST


def test_the_more_webhooks_an_instance_has_the_fewer_attempts_each_begins_with() -> None:
    """A batch of many hanging webhooks must not take all connections."""
    world = World()
    for number in range(20):
        world.webhook(f"w{number}")
        world.behaviours[f"w{number}"] = lambda: TIMEOUT

    world.deliver(*(many(f"w{number}", 5) for number in range(20)))

    assert set(world.most_running.values()) == {PER_INSTANCE // 20}


def test_a_webhook_id_that_belongs_to_another_instance_is_no_webhook() -> None:
    """Both ids name it."""
    world = World()
    world.webhook()
    stranger = replace(batch(), instance_id="i2", webhook_id=WebhookId("w1"))

    assert world.deliver(stranger) == []
    assert world.posted == []


def test_an_attempt_alone_has_a_line_with_fields_that_can_be_queried(caplog: pytest.LogCaptureFixture) -> None:
    """As on a quiet platform, where people read logs."""
    world = World()
    world.webhook()
    with caplog.at_level("INFO"):
        world.deliver(replace(batch("w1", "a"), deliveries=(replace(delivery("a"), message_id="mail-a"),)))
    (line,) = (vars(line) for line in caplog.records if line.getMessage() == "attempt succeeded")
    assert (line["message_id"], line["delivery_id"], line["attempt"]) == ("mail-a", "a", 1)


def test_attempts_are_logged_with_the_ids_that_a_trace_follows(caplog: pytest.LogCaptureFixture) -> None:
    """SES's message id, the webhook-id and the instance's. What failed has a line each, what succeeded one for all."""
    world = World()
    world.webhook()
    answers = iter([Response(status=200), Response(status=404), Response(status=204)])
    world.behaviours["w1"] = lambda: next(answers)
    deliveries = tuple(replace(delivery(id_), message_id=f"mail-{id_}") for id_ in ("a", "b", "c"))

    with caplog.at_level("INFO"):
        world.deliver(replace(batch("w1", "a", "b", "c", attempt=2), deliveries=deliveries))

    (failed,) = (vars(line) for line in caplog.records if line.getMessage() == "attempt failed")
    (succeeded,) = (vars(line) for line in caplog.records if line.getMessage() == "attempts succeeded")
    ids = [failed[name] for name in ("message_id", "delivery_id", "attempt", "status")]
    assert ids == ["mail-b", "b", 2, "404"]
    [[*ids, attempts]] = succeeded["webhooks"]
    rows = [dict(zip(ATTEMPT_FACTS, row, strict=True)) for row in attempts]
    assert [(row["delivery_id"], row["attempt"], row["status"]) for row in rows] == [("a", 2, "200"), ("c", 2, "204")]
    assert [failed["instance_id"], failed["webhook_id"]] == ids == ["i1", "w1"]


def test_the_attempts_of_many_webhooks_share_a_line(caplog: pytest.LogCaptureFixture) -> None:
    """With thousands of webhooks most have one or two in an invocation, and a line is longer than its attempts."""
    world = World()
    for name in ("w1", "w2", "w3"):
        world.webhook(name)
    with caplog.at_level("INFO"):
        world.deliver(batch("w1", "a", "b"), batch("w2", "c"), batch("w3"))
    (line,) = (vars(line) for line in caplog.records if line.getMessage().startswith("attempt"))
    assert [(webhook, len(rows)) for _, webhook, rows in line["webhooks"]] == [("w1", 2), ("w2", 1), ("w3", 1)]
