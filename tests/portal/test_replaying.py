"""Replays on the real tables, interrupted anywhere: nothing is lost, progress counts each delivery once."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambdas.aws.clients import CLIENTS
from lambdas.domain.portal import Replay, ReplayState
from lambdas.portal import handler, replaying
from lambdas.portal.composition import compose_replayer
from lambdas.portal.replaying import Replayer
from tests.portal.world import Context, World, delivery

DELIVERED, WAITING = 7, 5


class Crash(Exception):
    """The function was stopped here."""


@pytest.fixture
def kept(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A webhook with deliveries that were made and some that wait, and steps of two batches."""
    monkeypatch.setattr(replaying, "PAGE", 2)
    world.tenant("i1")
    world.webhook("i1", "w1")
    for number in range(DELIVERED):
        at = world.now - timedelta(hours=2, minutes=number)
        world.archived("i1", "w1", delivery(f"sent_{number}", to="a@x.example", at=at), at=at)
    for number in range(WAITING):
        at = world.now - timedelta(hours=1, minutes=number)
        due = world.now + timedelta(hours=3, minutes=number)
        world.parked("i1", "w1", delivery(f"waits_{number}", to="b@x.example", at=at), due=due)
    return world


def begun(world: World, **changes: Any) -> Replay:
    """A replay of all of the last six hours."""
    replay = Replay(
        id="r1",
        instance_id="i1",
        webhook_id="w1",
        since=world.now - timedelta(hours=6),
        began_at=world.now,
        who="tester",
        **changes,
    )
    assert world.table.begin_replay(replay)
    return replay


def replayer() -> Replayer:
    """As the function composes it."""
    return compose_replayer(handler._settings(), CLIENTS)


def run(*, steps: int = 1_000, by: Replayer | None = None) -> bool:
    """Make up to *steps* steps; whether more is to be done."""
    left = iter(range(steps - 1))
    return (by or replayer()).run(
        "i1", "w1", "r1", time_left=lambda: next(left, None) is not None, clock=lambda: datetime.now(UTC)
    )


def sent(world: World) -> Counter[str]:
    """How often each delivery went to the queue."""
    return Counter(one["id"] for message in world.queued() for one in message["deliveries"])


def waiting(world: World) -> int:
    """How many items the backlog still has."""
    return replayer().backlog.waiting("i1", "w1")  # type: ignore[arg-type]


ALL = {f"sent_{number}" for number in range(DELIVERED)} | {f"waits_{number}" for number in range(WAITING)}


def test_a_replay_sends_what_was_delivered_and_what_waits_once(kept: World) -> None:
    """With the ids that they had; what waited is taken out of the backlog."""
    begun(kept)
    assert run() is False
    assert sent(kept) == Counter(ALL)
    assert waiting(kept) == 0
    ended = kept.table.replay("i1", "w1")
    assert ended is not None
    assert (ended.state, ended.sent) == (ReplayState.DONE, DELIVERED + WAITING)


@pytest.mark.parametrize("at", ["queue.send", "store.save_replay", "backlog.remove"])
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_replay_that_crashes_at_any_step_loses_nothing_and_counts_once(
    kept: World, monkeypatch: pytest.MonkeyPatch, at: str, before: bool
) -> None:
    """At each call that changes something, in each step in turn: SQS redelivers the step, which goes on."""
    begun(kept)
    crashes = 0
    for number in range(60):
        part, _, method = at.partition(".")
        maker = replayer()
        crashing = _crashing(getattr(getattr(maker, part), method), at=number, before=before)
        with monkeypatch.context() as patched:
            patched.setattr(getattr(maker, part), method, crashing)
            try:
                more = run(steps=number + 1, by=maker)
            except Crash:
                crashes += 1
                continue
        if not more:
            break
    assert crashes
    run()
    found = sent(kept)
    assert set(found) == ALL
    ended = kept.table.replay("i1", "w1")
    assert ended is not None
    assert ended.state is ReplayState.DONE
    assert ended.sent == DELIVERED + WAITING


def _crashing(real: Callable[..., Any], *, at: int, before: bool) -> Callable[..., Any]:
    calls = 0

    def call(*values: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls <= at:
            return real(*values, **named)
        if not before:
            real(*values, **named)
        raise Crash

    return call


def test_of_two_steps_at_once_the_slower_one_stops(kept: World) -> None:
    """Its message came twice; the other goes on, and nothing is counted twice."""
    begun(kept)
    slow, stale = replayer(), kept.table.replay("i1", "w1")
    assert stale is not None
    assert run(steps=1) is True
    real = slow.store.replay
    object.__setattr__(slow, "store", _Stale(slow.store, stale))
    assert slow.run("i1", "w1", "r1", time_left=lambda: True, clock=lambda: datetime.now(UTC)) is False
    assert real("i1", "w1") is not None
    assert run() is False
    ended = kept.table.replay("i1", "w1")
    assert ended is not None
    assert ended.sent == DELIVERED + WAITING
    assert set(sent(kept)) == ALL


class _Stale:
    """A store whose read came before another step."""

    def __init__(self, store: Any, stale: Replay) -> None:
        self._store, self._stale = store, stale

    def replay(self, *_: str) -> Replay:
        """As it was."""
        return self._stale

    def save_replay(self, replay: Replay) -> bool:
        """The real, conditional write."""
        return bool(self._store.save_replay(replay))


def test_a_replay_that_another_took_the_place_of_does_nothing(kept: World) -> None:
    """A message of the old one came late."""
    begun(kept)
    assert replayer().run("i1", "w1", "r0", time_left=lambda: True, clock=lambda: datetime.now(UTC)) is False
    assert sent(kept) == Counter()


def test_a_replay_of_one_delivery_ends_when_it_is_found(kept: World) -> None:
    """And leaves the rest of what waits where it is."""
    begun(kept, delivery_id="waits_3")
    assert run() is False
    assert sent(kept) == Counter({"waits_3": 1})
    assert waiting(kept) == WAITING - 1


def test_a_replay_of_an_unknown_delivery_ends_with_none_sent(kept: World) -> None:
    """It was never delivered, or is older than 14 days."""
    begun(kept, delivery_id="msg_unknown")
    assert run() is False
    ended = kept.table.replay("i1", "w1")
    assert ended is not None
    assert (ended.state, ended.sent) == (ReplayState.DONE, 0)


def test_what_is_made_after_a_replay_began_is_not_its(kept: World) -> None:
    """Else it would replay its own deliveries, for ever."""
    begun(kept)
    later = kept.now + timedelta(minutes=1)
    kept.parked("i1", "w1", delivery("later", to="c@x.example", at=later), due=later)
    kept.archived("i1", "w1", delivery("later too", to="c@x.example", at=later), at=later)
    run()
    assert set(sent(kept)) == ALL


def test_a_step_out_of_time_is_followed_by_another_message(kept: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The function's own loop: a message a step, until the replay has ended."""
    begun(kept)
    monkeypatch.setattr(Context, "get_remaining_time_in_millis", staticmethod(lambda: 0))
    body = json.dumps({"instance_id": "i1", "webhook_id": "w1", "replay_id": "r1"})
    messages = 0
    while body:
        assert handler.replay({"Records": [{"messageId": "1", "body": body}]}, Context()) == {"batchItemFailures": []}
        messages += 1
        queued = kept.queued("replays")
        body = json.dumps(queued[0]) if queued else ""
    assert messages > 16
    assert set(sent(kept)) == ALL
