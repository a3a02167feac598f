"""The operator's cap on a day's mail: until midnight UTC, with a cause and notifications of its own."""

from datetime import UTC, datetime, timedelta

import pytest

from lambdas.domain.reputation.evaluation import Reputation, SendingState
from lambdas.domain.reputation.sending_status import Cause, SendingStatus, midnight_after
from lambdas.reputation.capping import DailyCap
from lambdas.reputation.evaluate import EvaluationKind
from tests.reputation.fakes import ADMIN_TOPIC, OPERATOR_TOPIC, World

NOW = datetime(2026, 11, 21, 17, 30, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 22, tzinfo=UTC)


def enforce(world: World, now: datetime = NOW, cap: int = 1_000) -> bool:
    """Enforce a cap on i1."""
    capped = DailyCap(cap=cap, counters=world, statuses=world.statuses, audience=world.audience)
    paused = capped.enforce("i1", now=now)
    if paused:  # the claim wakes the reputation function
        assert world.evaluator.evaluate("i1", claimers=frozenset({"record-1"}), now=now).kind is EvaluationKind.FINISHED
    return paused


def test_who_reaches_the_cap_is_paused_until_midnight_and_told() -> None:
    """SES, webhook, admin and operator; a second time changes nothing."""
    world = World(facts={"domain": "agency.gov"})
    world.count(bucket="2026-11-21T00", deliveries=600)
    world.count(bucket="2026-11-21T17", deliveries=390, bounces=10)
    assert enforce(world)
    assert world.sends == {"i1": False}
    [pause] = world.statuses.claims
    assert (pause.cause, pause.until, pause.marks, pause.domain) == (Cause.DAILY_CAP, MIDNIGHT, False, "agency.gov")
    assert pause.reputation == Reputation(bounces=10, complaints=0, deliveries=990, since="2026-11-21T00", hours=2)
    assert [topic for topic, _, _ in world.notifications] == [ADMIN_TOPIC, OPERATOR_TOPIC]
    admins = world.notifications[0][2]
    assert "1,000 mails had an outcome since midnight UTC; the cap is 1,000 a day" in admins
    assert "Sending is allowed again at 2026-11-22T00:00:00Z" in admins
    assert "people who complained" not in admins
    [notice] = world.deliveries
    assert '"cause":"daily_cap"' in notice.body
    assert '"paused_until":"2026-11-22T00:00:00' in notice.body
    assert not enforce(world)


def test_below_the_cap_nothing_happens() -> None:
    """Yesterday's mail is yesterday's."""
    world = World()
    world.count(bucket="2026-11-20T23", deliveries=5_000)
    world.count(bucket="2026-11-21T00", deliveries=999)
    assert not enforce(world)
    assert not world.statuses.claims


def test_a_resume_does_not_begin_the_day_anew() -> None:
    """What an operator forgave was sent all the same; but one who resumed it today allowed more."""
    world = World()
    world.count(bucket="2026-11-21T03", deliveries=1_000)
    yesterday = NOW - timedelta(days=1)
    today = datetime(2026, 11, 21, tzinfo=UTC)
    for since, paused in ((yesterday, True), (today - timedelta(seconds=1), True), (today, False), (NOW, False)):
        world.statuses.kept["i1"] = SendingStatus(
            instance_id="i1", version=2, since=since, cause=Cause.OPERATOR, baseline=NOW - timedelta(hours=1)
        )
        world.sends = {"i1": True}
        assert enforce(world) is paused


@pytest.mark.parametrize("facts", [{"deleted": True}, {}])
def test_who_is_gone_deleted_or_paused_is_left_alone(facts: dict[str, bool]) -> None:
    """A pause for its rates must not end at midnight."""
    world = World(facts=dict(facts), gone=set() if facts else {"i1"})
    world.count(bucket="2026-11-21T03", deliveries=1_000)
    assert not enforce(world)
    paused = World()
    paused.count(bucket="2026-11-21T03", deliveries=1_000)
    paused.statuses.kept["i1"] = SendingStatus(
        instance_id="i1", state=SendingState.PAUSED, version=1, cause=Cause.RATES
    )
    assert not enforce(paused)
    assert paused.statuses.load("i1").until is None


def test_midnight_is_utcs_and_always_ahead() -> None:
    """At midnight itself a day begins."""
    assert midnight_after(NOW) == MIDNIGHT
    assert midnight_after(MIDNIGHT) == MIDNIGHT + timedelta(days=1)
    assert midnight_after(MIDNIGHT - timedelta(microseconds=1)) == MIDNIGHT
