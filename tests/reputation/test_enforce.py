"""What webhooks and people are sent of a pause."""

import json
from dataclasses import replace
from datetime import UTC, datetime

from lambdas.domain.reputation.evaluation import Reason, Reputation, SendingState
from lambdas.domain.reputation.sending_status import Cause, Transition
from lambdas.reputation.enforce import paused_notice
from tests.reputation.fakes import World

NOW = datetime(2026, 11, 21, 5, 30, tzinfo=UTC)
PAUSE = Transition(
    id="i1:4",
    instance_id="i1",
    before=SendingState.HEALTHY,
    after=SendingState.PAUSED,
    at=NOW,
    cause=Cause.RATES,
    reasons=(Reason.BOUNCES, Reason.COMPLAINTS),
    reputation=Reputation(bounces=70, complaints=1, deliveries=930, since="2026-11-21T04", hours=2),
)


def test_a_notice_says_to_the_field_why_and_until_when_sending_is_paused() -> None:
    """docs/webhooks.md; rates are rounded to six places."""
    notice = paused_notice(PAUSE)
    assert (notice.id, notice.type, notice.timestamp) == ("paused\ni1:4", "reputation.paused", NOW)
    assert notice.data == {
        "instance_id": "i1",
        "cause": "rates",
        "reasons": ["bounce_rate", "complaint_rate"],
        "message": "Sending is paused. Mail is refused by SES until an operator resumes it.",
        "window": {"since": "2026-11-21T04", "outcomes": 1000},
        "bounces": 70,
        "complaints": 1,
        "deliveries": 930,
        "bounce_rate": 0.07,
        "complaint_rate": 0.001075,
        "paused_at": "2026-11-21T05:30:00.000Z",
        "paused_until": None,
    }
    third = replace(PAUSE, reputation=replace(PAUSE.reputation, bounces=1, deliveries=2))
    assert paused_notice(third).data["bounce_rate"] == 0.333333


def test_a_notice_of_a_pause_with_an_end_says_when_it_ends() -> None:
    """In words and as a field."""
    data = paused_notice(replace(PAUSE, until=datetime(2026, 11, 22, tzinfo=UTC))).data
    assert data["paused_until"] == "2026-11-22T00:00:00.000Z"
    assert data["message"] == "Sending is paused. Mail is refused by SES until 2026-11-22T00:00:00.000Z."


def test_a_webhook_gets_the_notice_as_a_first_attempt() -> None:
    """In a message of its own."""
    world = World()
    world.count(bounces=40, deliveries=960)
    world.evaluator.evaluate("i1", claimers=frozenset({"record-1"}), now=NOW)
    [batch] = world.batches
    assert (batch.instance_id, batch.webhook_id, batch.attempt, len(batch.deliveries)) == ("i1", "w1", 1, 1)
    assert json.loads(batch.deliveries[0].body)["data"]["instance_id"] == "i1"
    assert batch.deliveries[0].created_at == NOW


def test_both_notifications_lead_to_the_portal_where_there_is_one() -> None:
    """The admin's and the operator's."""
    world = World(portal_url="https://portal.example")
    world.count(bounces=40, deliveries=960)
    world.evaluator.evaluate("i1", claimers=frozenset({"record-1"}), now=NOW)
    assert len(world.notifications) == 2
    assert all("https://portal.example/instances/i1" in text for _, _, text in world.notifications)
