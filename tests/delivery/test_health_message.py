"""The mail about a webhook's health."""

from dataclasses import replace
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


HEALTH = Health(state=HealthState.FAILING, last_reason="503", first_failure=NOW)
WHERE = "Webhook https://app.example.gov/hook\nof service instance i1"
FACTS = "Last result: 503\nFirst failure: 2026-11-21 05:00:00 UTC\nEvents waiting: about 3"


@pytest.mark.parametrize(
    ("state", "subject", "advice"),
    [
        (
            HealthState.FAILING,
            "Webhook is failing; its events are kept",
            "Events are kept for 14 days and sent, oldest first, as soon as the webhook answers with a 2xx status\n"
            "within 15 seconds. It is tried at least every 15 minutes. Check that the application runs and that\n"
            "the URL is right. After five days without success the webhook is disabled.",
        ),
        (
            HealthState.DISABLED,
            "Webhook is disabled; its events are kept",
            "Nothing is sent to it any more; its events are kept for 14 days. To enable it once it answers again,\n"
            "give the binding its URL again (cf update-service with\nbindings), or ask the platform's operator.",
        ),
        (
            HealthState.HEALTHY,
            "Webhook is healthy again",
            "What waited is being sent now, oldest first. There is nothing to do.",
        ),
    ],
)
def test_it_says_what_happened_how_much_waits_and_what_to_do(state: HealthState, subject: str, advice: str) -> None:
    """To the letter; the page of the portal comes last."""
    told = replace(HEALTH, state=state)
    assert message(TARGET, told, waiting=3) == (subject, f"{subject}.\n\n{WHERE}\n\n{FACTS}\n\n{advice}")
    _, text = message(TARGET, told, waiting=3, page=PAGE)
    assert text.endswith(f"\n\nThe webhook in the portal: {PAGE}")
    assert ("use the button on the page below, or give" in text) is (state is HealthState.DISABLED)


def test_without_a_failure_or_a_result_there_is_none_to_tell() -> None:
    """A 410 to the very first attempt of a new record, say."""
    _, text = message(TARGET, Health(state=HealthState.DISABLED), waiting=0)
    assert "\n\nLast result: none\nEvents waiting: about 0\n\n" in text
