"""What the pages say of a webhook, and of the example of a request, value by value."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambdas.domain.webhooks.health import FailedAttempt, Health, HealthState
from lambdas.domain.webhooks.target import Target
from lambdas.domain.webhooks.webhook import EventKind, NotificationFormat, Scope, Webhook, WebhookId
from lambdas.portal.pages.webhooks import WebhookView, _webhook, webhook_view
from lambdas.portal.preview import previews

NOW = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)
ATTEMPT = FailedAttempt(at=NOW, delivery="msg_1", type="t", reason="status 503", excerpt="busy")
HEALTH = Health(
    state=HealthState.DISABLED, since=NOW, last_reason="gone", attempts=(ATTEMPT,), by_operator=True, webhook_version=1
)
TARGET = Target(
    instance_id="i1",
    webhook_id=WebhookId("w1"),
    url="https://hooks.example.gov/secret",
    format=NotificationFormat.CLOUDEVENTS,
    version=1,
    health=HEALTH,
    batch=5,
    batch_seconds=7,
)
ITEM: dict[str, Any] = {
    "events": {"reject", "bounce"},
    "scope": "binding",
    "bindings": ["b1", "b2"],
    "senders": ["b1"],
    "test_result": {"status": "delivered", "answer": "ok", "at": "2026-11-21T04:59:00+00:00"},
}


def view(target: Target = TARGET, item: dict[str, Any] = ITEM) -> WebhookView:
    return webhook_view(target, item, waiting=3, oldest=NOW - timedelta(hours=1), now=NOW)


def test_a_webhook_is_shown_by_its_host_with_all_that_is_known() -> None:
    """Never its path."""
    found = view()
    assert found == WebhookView(
        id="w1",
        host="hooks.example.gov",
        format="cloudevents",
        events=("bounce", "reject"),
        scope="binding",
        batch=5,
        batch_seconds=7,
        bindings=("b1", "b2"),
        state=HealthState.DISABLED,
        words=found.words,
        since=NOW,
        waiting=3,
        oldest=NOW - timedelta(hours=1),
        attempts=(ATTEMPT,),
        test_status="delivered",
        test_answer="ok",
        test_at=NOW - timedelta(minutes=1),
        by_operator=True,
        is_email=False,
    )
    assert found.words


def test_what_an_item_does_not_have_is_empty() -> None:
    """An item of an earlier release has less."""
    found = view(replace(TARGET, url="arn:aws:sns:x"), {})
    assert (found.host, found.events, found.scope, found.bindings) == ("", (), "instance", ())
    assert (found.test_status, found.test_answer, found.test_at) == ("", "", None)
    mail = view(replace(TARGET, format=NotificationFormat.EMAIL), {"test_result": None})
    assert (mail.host, mail.is_email) == ("e-mail digests", True)


@pytest.mark.parametrize(
    ("state", "by_operator", "possible"),
    [
        (HealthState.HEALTHY, False, False),
        (HealthState.FAILING, False, True),
        (HealthState.DISABLED, False, True),
        (HealthState.DISABLED, True, False),
    ],
)
def test_a_tenant_enables_what_the_operator_did_not_disable(
    state: HealthState, by_operator: bool, possible: bool
) -> None:
    """And what is not healthy."""
    health = replace(HEALTH, state=state, by_operator=by_operator)
    assert view(replace(TARGET, health=health)).can_be_enabled is possible


def test_a_test_is_made_for_the_webhook_as_it_is() -> None:
    """Format and batch included."""
    assert _webhook(TARGET, ITEM) == Webhook(
        id=WebhookId("w1"),
        instance_id="i1",
        events=frozenset({EventKind.BOUNCE, EventKind.REJECT}),
        format=NotificationFormat.CLOUDEVENTS,
        scope=Scope.BINDING,
        batch=5,
        batch_seconds=7,
        senders=frozenset({"b1"}),
    )
    assert _webhook(TARGET, {}).scope is Scope.INSTANCE


@pytest.mark.parametrize(("batch", "batched"), [(1, False), (2, True)])
def test_an_example_is_indented_and_a_batch_if_the_webhook_has_batches(batch: int, batched: bool) -> None:
    """The webhook's own format first; every format once."""
    webhook = replace(_webhook(TARGET, ITEM), batch=batch)
    found = previews(webhook, topic_arn="arn:aws:sns:us-east-1:123456789012:events", now=NOW)
    assert [one.format for one in found] == ["cloudevents", "standard-webhooks", "sns", "cloudevents-binary"]
    for one in found:
        assert one.body == json.dumps(json.loads(one.body), indent=2, ensure_ascii=False)
    first, second, third, _ = (json.loads(one.body) for one in found)
    assert isinstance(first, list) is batched
    assert second["type"] == ("batch" if batched else "email.bounced")
    assert third["TopicArn"] == "arn:aws:sns:us-east-1:123456789012:events"
    event = json.loads(third["Message"])
    assert event == {
        "eventType": "Bounce",
        "mail": {"messageId": "0100019a0b1c2d3e-EXAMPLE-000000", "destination": ["nobody@example.net"]},
        "bounce": {"bounceType": "Permanent", "bounceSubType": "NoEmail"},
    }
