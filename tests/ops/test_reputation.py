"""An operator pauses and resumes an instance, and sees its reputation."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from lambdas.domain.reputation.evaluation import HourCounts, Reputation, SendingState
from lambdas.domain.reputation.risk import risk
from lambdas.domain.reputation.sending_status import LEASE, Cause, Mark, SendingStatus, mark_of
from ops.reputation.command import Rate, bars
from ops.reputation.sending_status import ActionRefused, Operator
from tests.reputation.fakes import RULES, World

NOW = datetime(2026, 11, 21, 5, 30, 0, 123, tzinfo=UTC)
BY = "arn:aws:iam::111122223333:user/ann"


class Baselines:
    """Baselines in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, datetime] = {}

    def set(self, instance_id: str, baseline: datetime) -> bool:
        """As the table does."""
        self.kept[instance_id] = baseline
        return instance_id == "i1"


def operator(world: World, baselines: Baselines | None = None) -> Operator:
    """Ann, over *world*."""
    known = SimpleNamespace(audience=lambda name: world.audience(name) if name == "i1" else None)
    composition: Any = SimpleNamespace(webhooks=known, statuses=world.statuses, evaluator=world.evaluator)
    kept: Any = baselines or Baselines()
    return Operator(composition, kept, by=BY)


def paused() -> World:
    """A world whose instance was paused for its bounces."""
    world = World()
    world.count(bounces=60, deliveries=940)
    world.evaluator.evaluate("i1", claimers=frozenset({"record-1"}), now=NOW - timedelta(hours=1))
    return world


def test_a_resume_lets_it_send_and_begins_anew() -> None:
    """Recorded with who, when and why; everyone is notified; the old counts are behind the baseline."""
    world, baselines = paused(), Baselines()
    done = operator(world, baselines).resume("i1", why="list cleaned", now=NOW)
    assert (done.cause, done.by, done.why, done.at) == (Cause.OPERATOR, BY, "list cleaned", NOW)
    assert world.sends == {"i1": True}
    assert world.statuses.load("i1").state is SendingState.HEALTHY
    assert baselines.kept == {"i1": NOW.replace(microsecond=0)}
    assert world.statuses.load("i1").baseline == baselines.kept["i1"]
    (_, subject, admins), (_, _, operators) = world.notifications[-2:]
    assert subject == "Sending is allowed again: i1"
    assert "list cleaned" in admins
    assert BY not in admins
    assert BY in operators


def test_what_was_resumed_is_not_paused_by_the_same_counts_again() -> None:
    """Not by the next bounce either, if it is of old mail."""
    world = paused()
    operator(world).resume("i1", why="list cleaned", now=NOW)
    world.evaluator.evaluate("i1", claimers=frozenset({"record-2"}), now=NOW + timedelta(minutes=1))
    assert world.statuses.load("i1").state is SendingState.HEALTHY


def test_an_operator_can_pause() -> None:
    """With all that a verdict brings."""
    world = World()
    operator(world).pause("i1", why="phishing", now=NOW)
    assert world.sends == {"i1": False}
    assert [delivery.type for delivery in world.deliveries] == ["reputation.paused"]
    assert "phishing" in world.notifications[0][2]


@pytest.mark.parametrize("state", [SendingState.HEALTHY, SendingState.WARNED])
def test_only_the_paused_can_be_resumed(state: SendingState) -> None:
    """Else a typing error would set a baseline."""
    world, baselines = paused(), Baselines()
    world.statuses.kept["i1"] = replace(world.statuses.load("i1"), state=state)
    with pytest.raises(ActionRefused, match="not paused"):
        operator(world, baselines).resume("i1", why="?", now=NOW)
    assert not baselines.kept


def test_the_paused_are_not_paused_twice() -> None:
    """The reason of the first stays."""
    with pytest.raises(ActionRefused, match="paused already"):
        operator(paused()).pause("i1", why="?", now=NOW)


def test_an_instance_that_is_not_there_is_named() -> None:
    """A typing error."""
    with pytest.raises(ActionRefused, match="no instance i2"):
        operator(World()).pause("i2", why="?", now=NOW)


def test_a_pause_that_is_being_acted_on_cannot_be_resumed() -> None:
    """Its switch might be thrown after ours; when its time is over, it can."""
    world = World()
    world.count(bounces=60, deliveries=940)
    world.broken = {"sns"}
    with pytest.raises(TimeoutError):
        world.evaluator.evaluate("i1", claimers=frozenset({"record-1"}), now=NOW)
    pending = world.statuses.load("i1").pending
    assert pending is not None
    acting = replace(pending, claimed_until=NOW + LEASE)
    world.statuses.kept["i1"] = replace(world.statuses.load("i1"), pending=acting)
    world.broken = set()
    with pytest.raises(ActionRefused, match="being acted on"):
        operator(world).resume("i1", why="?", now=NOW)
    operator(world).resume("i1", why="list cleaned", now=NOW + LEASE)
    assert world.sends == {"i1": True}


def test_a_pause_that_would_end_by_itself_can_be_made_one_for_good() -> None:
    """An operator who pauses an instance at its daily cap means it."""
    world = World()
    world.statuses.kept["i1"] = SendingStatus(
        instance_id="i1", state=SendingState.PAUSED, version=1, cause=Cause.DAILY_CAP, until=NOW
    )
    operator(world).pause("i1", why="phishing", now=NOW)
    assert world.statuses.load("i1").until is None


class Marks:
    """One mark, that i1 left on agency.gov."""

    def __init__(self, world: World) -> None:
        pause = replace(world.statuses.claims[-1], domain="agency.gov")
        self.kept = {"agency.gov": mark_of(pause, since=NOW)}

    def on(self, domain: str, *, now: datetime) -> Mark | None:
        """As the table does."""
        return self.kept.get(domain)

    def lift(self, domain: str) -> None:
        """As the table does."""
        self.kept.pop(domain, None)


@pytest.mark.parametrize("known", [True, False])
def test_lifting_a_mark_resumes_the_deleted_instance_that_left_it(known: bool) -> None:
    """Recorded in its history, so that the same id may come again; one that is forgotten just loses its mark."""
    world = paused()
    world.facts = {"domain": "agency.gov", "deleted": True}
    ann, marks = operator(world), Marks(world)
    ann._parts.marks = marks  # type: ignore[misc,assignment]
    if not known:
        ann._parts.webhooks.audience = lambda _: None  # type: ignore[method-assign,assignment]
    assert ann.lift("agency.gov", why="another team", now=NOW).transition.instance_id == "i1"
    assert not marks.kept
    assert (world.statuses.load("i1").state is SendingState.HEALTHY) is known
    with pytest.raises(ActionRefused, match="no mark on agency"):
        ann.lift("agency.gov", why="again", now=NOW)


def test_the_mark_of_an_instance_that_is_there_is_lifted_by_its_resume() -> None:
    """Lifting alone would leave it paused, and unmarked."""
    world = paused()
    world.facts = {"domain": "agency.gov"}
    ann, marks = operator(world), Marks(world)
    ann._parts.marks = marks  # type: ignore[misc,assignment]
    with pytest.raises(ActionRefused, match="i1, which is paused, still exists: resume it"):
        ann.lift("agency.gov", why="?", now=NOW)
    assert marks.kept
    assert ann.resume("i1", why="cleaned", now=NOW).lifts_mark


def counts(**changes: int) -> Reputation:
    """Of a thousand mails."""
    return Reputation(**{"bounces": 0, "complaints": 0, "deliveries": 1_000, **changes}, since=None)


def test_a_rate_is_a_percentage_for_people_and_a_number_for_programs() -> None:
    """Three digits are what one can use."""
    assert [str(Rate(rate)) for rate in (0.029851, 0.000412, 0.0)] == ["2.99 %", "0.0412 %", "0 %"]
    assert json.dumps(Rate(0.5)) == "0.5"


def test_risk_sorts_the_paused_first_and_few_mails_last() -> None:
    """1 is at the threshold; without volume a rate says little."""
    assert risk(counts(), RULES, SendingState.PAUSED) == 10.0
    assert risk(counts(bounces=42), RULES, SendingState.HEALTHY) > 1
    assert risk(counts(bounces=42), RULES, SendingState.HEALTHY) > risk(counts(bounces=20), RULES, SendingState.WARNED)
    assert risk(counts(bounces=5, deliveries=5), RULES, SendingState.HEALTHY) < 0.1
    assert risk(counts(deliveries=0), RULES, SendingState.HEALTHY) == 0.0


def test_a_bar_an_hour_oldest_first() -> None:
    """The fullest hour is the longest; bounces stand out."""
    hours = [
        HourCounts(bucket="2026-11-21T05", deliveries=75, bounces=25, complaints=1),
        HourCounts(bucket="2026-11-21T04", deliveries=10),
    ]
    older, newer = bars(hours)
    assert older.startswith("2026-11-21T04")
    assert (older.count("▒"), older.count("█")) == (0, 4)
    assert (newer.count("▒"), newer.count("█")) == (10, 30)
    assert "25.0% bounced  1 complaints" in newer
    assert "\x1b" not in newer
    assert "\x1b[31m" + "▒" * 10 in list(bars(hours, colour=True))[1]
    assert list(bars([])) == []
