"""The set-up page sends the confirmation of alarms again, within the limits that hold for everybody."""

from datetime import UTC, datetime
from unittest.mock import Mock

import boto3
import pytest

from lambdas.aws.clients import CLIENTS, InteractiveClients
from lambdas.aws.dynamodb.confirmation_mails import ConfirmationMails
from tests.portal.world import Answer, Caller, World

ADDRESS = "admin@agency.gov"  # of every tenant of the world


@pytest.fixture
def subscribe(world: World, monkeypatch: pytest.MonkeyPatch) -> Mock:
    """SNS's Subscribe for a tenant whose address has not confirmed. Moto confirms each address at once."""
    sns = InteractiveClients(CLIENTS).client("sns")
    topic = boto3.client("sns").create_topic(Name="ses-feedback-i1-alerts")["TopicArn"]
    world.tenant("i1", alert_topic_arn=topic)
    pending = [(ADDRESS, "PendingConfirmation")]
    monkeypatch.setattr("lambdas.aws.sns.topics.Topics._subscriptions", lambda *_: pending)
    subscribe = Mock()
    monkeypatch.setattr(sns, "subscribe", subscribe)
    return subscribe


def resend(caller: Caller) -> Answer:
    """Press the button."""
    assert "Send the confirmation again" in caller.get("/instances/i1/setup").text
    return caller.post("/instances/i1/setup/confirmation")


def used_elsewhere(world: World, times: int) -> None:
    """Confirmation mails that the broker had sent to the address, for whatever tenant."""
    mails = ConfirmationMails(world.dynamodb, "broker", limit=100, clock=lambda: datetime.now(UTC))
    assert all(mails.take(ADDRESS) for _ in range(times))


def test_a_pending_address_gets_another_mail(world: World, subscribe: Mock) -> None:
    """SNS mails at each Subscribe, and each is counted and recorded."""
    answer = resend(world.caller("i1"))
    assert (answer.status, answer.headers["location"]) == (303, "../setup?done=sent")
    assert subscribe.call_args.kwargs["Endpoint"] == ADDRESS
    assert [action.what for action in world.table.actions("i1")] == ["resend confirmation"]
    limited = ConfirmationMails(world.dynamodb, "broker", limit=1, clock=lambda: datetime.now(UTC))
    assert not limited.take(ADDRESS)


def test_an_address_that_had_its_mails_today_gets_none(world: World, subscribe: Mock) -> None:
    """Whoever had them sent; the page says when it is possible again, not who used the limit up."""
    used_elsewhere(world, 2)
    answer = resend(world.caller("i1"))
    assert answer.status == 429
    assert "possible again from" in answer.text
    assert 0 < int(answer.headers["retry-after"]) <= 86_400
    subscribe.assert_not_called()
    assert world.table.actions("i1") == []


def test_a_tenant_has_a_smaller_limit_of_its_own(
    world: World, subscribe: Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its presses count whether mails were sent or not."""
    monkeypatch.setattr("lambdas.portal.pages.setup._A_DAY", 1)
    caller = world.caller("i1")
    assert [resend(caller).status for _ in range(2)] == [303, 429]
    assert subscribe.call_count == 1
