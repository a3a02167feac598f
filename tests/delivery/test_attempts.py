"""Attempts of one invocation: who may begin, how many at once, and what is nobody's failure."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from lambdas.delivery.attempts import AttemptRunner, AttemptSeries, PendingAttempt
from lambdas.delivery.concurrency import (
    FIRST,
    FIRST_SLOTS,
    MOST,
    PER_INSTANCE,
    QUICK,
    SOME,
    ConcurrencyLimit,
    ConnectionSlots,
)
from lambdas.delivery.endpoint import Endpoint
from lambdas.delivery.name_resolver import Unreachable
from lambdas.domain.webhooks.attempt import TIMED_OUT, Attempt, AttemptOutcome, Delivered, Failed, NoResponse, Response
from lambdas.domain.webhooks.delivery import Delivery
from lambdas.domain.webhooks.target import Target
from lambdas.domain.webhooks.webhook import NotificationFormat, WebhookId

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
OK = Response(status=204)


@dataclass
class Receivers:
    """Receivers by URL under a clock of their own. `answers` says what each does, `seconds` how long it takes."""

    answers: dict[str, Callable[[], Response | NoResponse]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    located: dict[str, Callable[[], None]] = field(default_factory=dict)
    running: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)
    now: datetime = NOW

    def clock(self) -> datetime:
        """The time."""
        return self.now

    async def locate(self, instance_id: str, url: str) -> Endpoint:
        """Its endpoint."""
        if check := self.located.get(url):
            check()
        await asyncio.sleep(0)
        return Endpoint(url=url, host="app.example", port=443)

    def turn(self, endpoint: Endpoint) -> AbstractAsyncContextManager[None]:
        """At once."""
        return nullcontext()

    async def post(
        self, endpoint: Endpoint, headers: Mapping[str, str], body: bytes, *, deadline: float
    ) -> Response | NoResponse:
        """Answer after some turns of the loop, on the receiver's clock after its seconds."""
        url = endpoint.url
        self.running[url] += 1
        self.most[url] = max(self.most[url], self.running[url])
        for _ in range(3):
            await asyncio.sleep(0)
        self.running[url] -= 1
        self.now += timedelta(seconds=self.seconds.get(url, 0.0))
        return self.answers.get(url, lambda: OK)()


def series(count: int, url: str = "https://app.example/", *, instance: str = "i1", most: int = FIRST) -> AttemptSeries:
    """So many deliveries for a webhook."""
    target = Target(
        instance_id=instance, webhook_id=WebhookId(url), url=url, format=NotificationFormat.STANDARD_WEBHOOKS
    )
    return AttemptSeries(
        target=target,
        keys=(b"0" * 24,),
        pending=deque(PendingAttempt(deliveries=(delivery(number),), number=1) for number in range(count)),
        most=most,
    )


def delivery(number: int) -> Delivery:
    """A delivery."""
    return Delivery(
        id=f"msg_{number}",
        type="email.delivered",
        timestamp=NOW,
        created_at=NOW,
        format=NotificationFormat.STANDARD_WEBHOOKS,
        body="{}",
        headers={},
    )


def run(receivers: Receivers, *all_series: AttemptSeries, seconds: float = 30) -> None:
    """Make the attempts; none begins after so many seconds."""
    runner = AttemptRunner(
        client=receivers, clock=receivers.clock, begin_before=NOW + timedelta(seconds=seconds), deadline=15
    )
    asyncio.run(runner.run(all_series))


@pytest.mark.parametrize(("reason", "begun"), [(TIMED_OUT, 1), ("connection refused", 4)])
def test_one_timeout_ends_a_webhooks_attempts_where_it_takes_several_failures(reason: str, begun: int) -> None:
    """A second time-out would hold up the whole invocation as long; a refusal costs nothing."""
    one = series(10, most=1)

    run(Receivers(answers={one.target.url: lambda: NoResponse(reason=reason)}), one)

    assert (begun, 10 - begun) == (len(one.made), len(one.pending))


def test_attempts_under_way_beside_the_first_timeout_count() -> None:
    """They are not cut off; what was not begun is put off."""
    one = series(10)

    run(Receivers(answers={one.target.url: lambda: NoResponse(reason=TIMED_OUT)}), one)

    assert len(one.made) == FIRST


def test_a_webhook_that_answers_quickly_gets_more_attempts_at_once_up_to_a_bound() -> None:
    """One more for each answer."""
    one = series(200)
    receivers = Receivers()

    run(receivers, one)

    assert receivers.most[one.target.url] == MOST
    assert not one.pending


def test_a_webhook_that_answers_slowly_gets_no_more_than_it_began_with() -> None:
    """However many it answers."""
    one = series(40)
    receivers = Receivers(seconds={one.target.url: QUICK + 0.5})

    run(receivers, one, seconds=1_000)

    assert receivers.most[one.target.url] == FIRST
    assert len(one.made) == 40


@pytest.mark.parametrize(("grown", "wanted"), [(2.0, MOST), (2.1, SOME)])
def test_many_attempts_at_once_are_for_receivers_that_they_do_not_make_slower(grown: float, wanted: int) -> None:
    """Answers that take longer the more there are at once wait for each other at the receiver."""
    limit = ConcurrencyLimit(FIRST)
    limit.answered(0.1)
    for _ in range(MOST):
        limit.answered(0.1 * grown)
    assert limit.current == wanted


@pytest.mark.parametrize(("seconds", "begun"), [(5, 1), (1, 0)])
def test_waiting_for_the_turn_to_connect_is_no_part_of_an_attempts_time(seconds: float, begun: int) -> None:
    """It waits for us, not for the receiver: it must not be marked slow. What has no turn in time is not attempted."""
    one, receivers = series(1), Receivers()

    @asynccontextmanager
    async def late(_: Endpoint) -> AsyncIterator[None]:
        receivers.now += timedelta(seconds=2)
        yield

    receivers.turn = late  # type: ignore[assignment, method-assign]
    run(receivers, one, seconds=seconds)

    assert [attempt.ended - attempt.began for _, attempt in one.made] == [timedelta(0)] * begun
    assert (one.slow, len(one.pending)) == (False, 1 - begun)


def test_a_webhook_that_turns_slow_loses_what_quick_answers_earned() -> None:
    """A first quick answer must not buy sixteen slow ones."""
    limit = ConcurrencyLimit(FIRST)
    for _ in range(50):
        limit.answered(0.1)
    assert limit.current == MOST
    limit.answered(QUICK + 0.1)
    assert limit.current == FIRST


def test_the_webhooks_of_one_instance_share_its_bound() -> None:
    """However many webhooks it has, and however quickly they answer."""
    all_series = [series(50, f"https://w{number}.example/") for number in range(10)]
    receivers = Receivers()
    together = 0
    post = receivers.post

    async def counted(
        endpoint: Endpoint, headers: Mapping[str, str], body: bytes, *, deadline: float
    ) -> Response | NoResponse:
        nonlocal together
        together = max(together, receivers.running.total() + 1)
        return await post(endpoint, headers, body, deadline=deadline)

    receivers.post = counted  # type: ignore[method-assign]
    run(receivers, *all_series)

    assert 10 * FIRST < together <= PER_INSTANCE
    assert all(not one.pending for one in all_series)


def test_webhooks_that_hold_all_extra_slots_leave_the_others_their_first_ones() -> None:
    """The first slots of every webhook are there from the start."""

    async def go() -> None:
        slots = ConnectionSlots([f"i{number}" for number in range(100)], first=500, extra=30)
        greedy = [number for number in range(100) for _ in range(20) if slots.take_extra(f"i{number}")]
        assert len(greedy) == 30
        assert slots.first_limit("i99") == FIRST
        assert slots.first._value == 500
        slots.give_back_extra("i0")
        assert slots.take_extra("i99")

    asyncio.run(go())


@pytest.mark.parametrize(
    ("webhooks", "of_instance", "wanted"),
    [(1, 1, FIRST), (250, 1, 2), (FIRST_SLOTS, 1, 1), (3 * FIRST_SLOTS, 1, 1), (20, 20, 3), (100, 100, 1)],
)
def test_the_more_webhooks_there_are_the_fewer_attempts_each_begins_with(
    webhooks: int, of_instance: int, wanted: int
) -> None:
    """Of the invocation and of the instance; but one each in any case."""

    async def go() -> int:
        others = [f"other-{number}" for number in range(webhooks - of_instance)]
        return ConnectionSlots(["i1"] * of_instance + others).first_limit("i1")

    assert asyncio.run(go()) == wanted


def test_more_webhooks_than_slots_take_turns() -> None:
    """None is forgotten, and never more run at once than there are slots."""
    all_series = [series(1, f"https://w{number}.example/", instance=f"i{number}") for number in range(FIRST_SLOTS + 50)]

    run(Receivers(), *all_series)

    assert all(len(one.made) == 1 for one in all_series)


def test_a_host_that_cannot_be_looked_up_is_the_webhooks_failure() -> None:
    """A few attempts fail with the reason, the rest is put off."""
    one = series(10)

    def refuse() -> None:
        raise Unreachable("host not found")

    run(Receivers(located={one.target.url: refuse}), one)

    assert [made.outcome for _, made in one.made] == [Failed(reason="host not found")] * FIRST
    assert len(one.pending) == 10 - FIRST
    assert not one.below_failure_limit


def test_waiting_for_a_lookup_until_the_end_is_no_failure() -> None:
    """Other names of the instance hang: this webhook has not been asked at all."""
    one, neighbour = series(3), series(3, "https://good.example/")
    receivers = Receivers()
    locate = receivers.locate

    async def hang(instance_id: str, url: str) -> Endpoint:
        if url == one.target.url:
            await asyncio.sleep(60)
        return await locate(instance_id, url)

    receivers.locate = hang  # type: ignore[method-assign]
    run(receivers, one, neighbour, seconds=0.05)

    assert (one.made, len(one.pending), one.below_failure_limit) == ([], 3, True)
    assert len(neighbour.made) == 3


def test_nothing_begins_at_the_end_of_the_time() -> None:
    """Not even with a slot at hand."""
    one = series(20, most=1)

    run(Receivers(seconds={one.target.url: 1.0}), one, seconds=5)

    assert (len(one.made), len(one.pending)) == (5, 15)


def test_an_error_of_ours_ends_one_webhooks_attempts_and_no_others() -> None:
    """It is kept for whoever looks at the outcomes."""
    bad, good = series(3), series(3, "https://good.example/")

    def break_() -> Response:
        raise RuntimeError("ours")

    run(Receivers(answers={bad.target.url: break_}), bad, good)

    assert bad.error is not None
    assert (good.error, len(good.made)) == (None, 3)


def test_the_headers_of_the_format_and_the_signature_are_sent() -> None:
    """The signature's headers win over any other."""
    seen: list[Mapping[str, str]] = []
    one = series(0)
    one.headers = {"authorization": "Basic x"}
    first = delivery(1)
    first.headers.update({"content-type": "application/cloudevents+json", "ce-id": "7", "webhook-id": "forged"})
    one.pending.append(PendingAttempt(deliveries=(first,), number=1))
    receivers = Receivers()

    async def post(endpoint: Endpoint, headers: Mapping[str, str], body: bytes, *, deadline: float) -> Response:
        seen.append(headers)
        assert deadline == 15
        return OK

    receivers.post = post  # type: ignore[method-assign]
    run(receivers, one)

    (headers,) = seen
    assert headers["content-type"] == "application/cloudevents+json"
    assert (headers["ce-id"], headers["authorization"], headers["user-agent"]) == ("7", "Basic x", "ses-feedback")
    assert headers["webhook-id"] == "msg_1"
    assert headers["webhook-signature"].startswith("v1,")
    assert headers["webhook-timestamp"] == str(int(NOW.timestamp()))


@pytest.mark.parametrize(("seconds", "slow"), [(0.5, False), (QUICK, False), (QUICK + 0.001, True)])
def test_an_attempt_that_takes_more_than_a_second_makes_its_webhook_slow(seconds: float, slow: bool) -> None:
    """Whatever its outcome; a second is quick enough for one attempt more."""
    one = series(1)
    run(Receivers(seconds={one.target.url: seconds}), one)
    assert (one.slow, len(one.made)) == (slow, 1)
    limit = ConcurrencyLimit(1)
    limit.answered(seconds)
    assert limit.current == (1 if slow else 2)


def test_a_slot_that_is_given_back_is_one_slot() -> None:
    """Of all, and of the instance."""

    async def go() -> None:
        slots = ConnectionSlots(["i1"], first=10, extra=1)
        assert [slots.take_extra("i1"), slots.take_extra("i1")] == [True, False]
        slots.give_back_extra("i1")
        assert [slots.take_extra("i1"), slots.take_extra("i1")] == [True, False]
        many = ConnectionSlots(["i1"], first=10, extra=1_000)
        taken = sum(many.take_extra("i1") for _ in range(1_000))
        assert taken == PER_INSTANCE - FIRST
        many.give_back_extra("i1")
        assert [many.take_extra("i1"), many.take_extra("i1")] == [True, False]

    asyncio.run(go())


def test_failures_in_a_row_are_counted_one_by_one_and_a_success_begins_anew() -> None:
    """A receiver that asks to wait, or does not answer in time, has used them up."""
    one = series(8, most=1)
    one.failure_limit = 3
    outcomes: list[AttemptOutcome] = [
        Failed(reason="500"),
        Failed(reason="500"),
        Delivered(status=200),
        Failed(reason="500"),
        Failed(reason="429", wait=5),
    ]
    seen = []
    for outcome in outcomes:
        pending = one.next()
        assert pending is not None
        one.note(pending, Attempt(delivery=pending.content(), began=NOW, ended=NOW, outcome=outcome))
        seen.append((one.failures, one.failure_limit, one.below_failure_limit))
    assert seen == [(1, 3, True), (2, 3, True), (0, 4, True), (1, 4, True), (4, 4, False)]
    assert one.next() is None
    assert (one.under_way, len(one.pending)) == (0, 3)


def test_what_is_given_up_is_pending_again_as_it_was_posted() -> None:
    """First, and together; no further attempt of the webhook begins."""
    one = series(2)
    batch = PendingAttempt(deliveries=(delivery(7), delivery(8)), number=2, batch=True)
    one.pending.appendleft(batch)
    assert one.next() is batch
    one.give_up(batch)
    assert one.pending[0] == replace(batch, fixed=True)
    assert (one.under_way, one.slow, one.given_up, one.made, one.next()) == (0, True, True, [], None)


def test_a_webhook_that_recovers_among_failures_gets_no_more_attempts_at_once_than_before() -> None:
    """Its workers had ended one after the other: as many begin again."""
    one = series(30)
    answers = iter([NoResponse(reason="connection refused")] * 3)
    receivers = Receivers(answers={one.target.url: lambda: next(answers, OK)}, seconds={one.target.url: QUICK + 0.5})
    run(receivers, one, seconds=1_000)
    assert (receivers.most[one.target.url], len(one.made)) == (FIRST, 30)
