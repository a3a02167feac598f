"""The mail about a webhook's health."""

from datetime import UTC, datetime

import pytest

from lambdas.delivery.health_message import message
from lambdas.domain.portal import page_of
from lambdas.domain.webhooks.health import Health, HealthState
from lambdas.domain.webhooks.target import Target
from lambdas.domain.webhooks.webhook import NotificationFormat, WebhookId

TARGET = Target(
    instance_id="i1",
    webhook_id=WebhookId("w1"),
    url="https://app.example.gov/hook?token=canary",
    format=NotificationFormat.STANDARD_WEBHOOKS,
)
NOW = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)
PAGE = page_of("https://portal.agency.gov", "i1", "/webhooks/w1")


@pytest.mark.parametrize("state", HealthState)
def test_it_leads_to_the_webhook_s_page_if_there_is_a_portal(state: HealthState) -> None:
    """There the tenant sees the failed attempts, sends a test and enables the webhook."""
    health = Health(state=state, last_reason="503", first_failure=NOW)
    _, with_portal = message(TARGET, health, waiting=3, page=PAGE)
    _, without = message(TARGET, health, waiting=3)
    assert "https://portal.agency.gov/instances/i1/webhooks/w1" in with_portal
    assert "portal" not in without
    assert ("button" in with_portal) is (state is HealthState.DISABLED)
    assert "canary" not in with_portal


def test_without_a_portal_there_is_no_page() -> None:
    """An empty address is no relative link."""
    assert page_of("", "i1") == ""
