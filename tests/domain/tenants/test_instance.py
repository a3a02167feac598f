"""What of instances and bindings is secret."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lambdas.domain.portal import Session
from lambdas.domain.tenants.instance import (
    Binding,
    BindingSecret,
    BindingState,
    BindRequest,
    Instance,
    InstanceState,
    Made,
    Operation,
    OperationKind,
    OperationState,
    Phase,
    SesParameters,
    WebhookChange,
    WebhookSettings,
)
from lambdas.domain.webhooks.webhook import NotificationFormat, Scope

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def test_no_secret_shows_in_a_repr() -> None:
    """A repr ends up in logs and tracebacks."""
    secret = BindingSecret(
        access_key_id="AKIA",
        secret_access_key="hidden-1",
        webhook_secret="hidden-2",
        webhook_userinfo="hidden-3",
        asked_userinfo="hidden-4",
    )
    asked = BindRequest(service_id="s", plan_id="p")
    binding = Binding(
        id="b1",
        instance_id="i1",
        state=BindingState.READY,
        request=asked,
        effective=asked,
        created_at=NOW,
        ciphertext=b"hidden-5",
    )
    session = Session(id="hidden-6", who="joe", created_at=NOW, expires_at=NOW, tokens={"access": "hidden-7"})
    for kept in (secret, binding, session):
        assert "hidden" not in repr(kept)
    assert "b1" in repr(binding)
    assert "joe" in repr(session)


OPERATION = Operation(id="op", kind=OperationKind.PROVISION, started_at=NOW, touched_at=NOW)
INSTANCE = Instance(
    id="i1",
    service_id="s",
    plan_id="p",
    organization_guid="o",
    space_guid="sp",
    state=InstanceState.NEW,
    operation=OPERATION,
)
ASKED = BindRequest(service_id="s", plan_id="p")


def test_what_an_earlier_release_did_not_write_is_read_as_not_there() -> None:
    """The defaults of stored records: a release that reads an older item relies on each of them."""
    assert SesParameters(admin_email="a") == SesParameters(
        admin_email="a",
        domain="",
        mail_from_subdomain="",
        dmarc_report_aggregate_recipients=(),
        dmarc_report_failure_recipients=(),
        enable_feedback_notifications=False,
    )
    assert (
        Operation(
            id="op",
            kind=OperationKind.PROVISION,
            started_at=NOW,
            touched_at=NOW,
            state=OperationState.IN_PROGRESS,
            description="",
            phase=Phase.APPLY,
            step="",
            failures=0,
            reason=None,
            ses=None,
            webhooks=(),
            changes_mail_from=False,
            reserved_for="",
        )
        == OPERATION
    )
    assert Made() == Made(
        dkim_tokens=(),
        dkim_zone="",
        alert_topic_arn="",
        alert_email="",
        confirmation_withheld=False,
        endpoint_id="",
        security_group_id="",
        hostname="",
        paused="",
    )
    assert (
        replace(
            INSTANCE,
            tags={},
            ses=None,
            requested_ses=None,
            privatelink=None,
            domain="",
            generated=False,
            claimed=False,
            made=Made(),
            bindings=(),
            referrers=(),
            dirty=False,
            past=(),
            lease_owner="",
            lease_until=None,
            version=0,
        )
        == INSTANCE
    )


def test_a_bind_request_asks_for_nothing_unless_it_says_so() -> None:
    """And a binding that was begun shares nothing yet."""
    assert (
        BindRequest(
            service_id="s",
            plan_id="p",
            notification_webhook="",
            notification_email="",
            notification_events=(),
            notification_format=NotificationFormat.STANDARD_WEBHOOKS,
            notification_scope=Scope.INSTANCE,
            notification_batch=1,
            notification_batch_seconds=0,
            source_ips=(),
            privatelink_instance_id="",
            predecessor_binding_id="",
            rotate_secret=False,
            app_guid="",
        )
        == ASKED
    )
    binding = Binding(
        id="b1", instance_id="i1", state=BindingState.INTENT, request=ASKED, effective=ASKED, created_at=NOW
    )
    assert binding == replace(
        binding,
        webhook_id="",
        email_webhook_id="",
        shares_webhook=False,
        shares_email=False,
        ciphertext=b"",
        busy_until=None,
        version=0,
    )
    assert BindingSecret() == BindingSecret(
        access_key_id="", secret_access_key="", webhook_secret="", webhook_userinfo=None, asked_userinfo=None
    )
    settings = WebhookSettings(
        url="https://a.gov/",
        events=(),
        format=NotificationFormat.SNS,
        scope=Scope.BINDING,
        ciphertext=b"hidden",
    )
    assert settings == replace(settings, batch=1, batch_seconds=0)
    assert "hidden" not in repr(settings)
    assert WebhookChange(binding_id="b", webhook_id="w", before=settings, after=settings).mark == ""


@pytest.mark.parametrize(
    ("domain", "claimed", "lost"), [("a.gov", False, True), ("a.gov", True, False), ("", False, False)]
)
def test_an_instance_whose_domain_was_released_has_lost_it(domain: str, claimed: bool, lost: bool) -> None:
    """One without a domain has none to lose."""
    assert replace(INSTANCE, domain=domain, claimed=claimed).lost_domain is lost


@pytest.mark.parametrize("state", OperationState)
def test_an_instance_is_busy_while_its_operation_is_in_progress(state: OperationState) -> None:
    """The platform has to wait."""
    operation = replace(OPERATION, state=state)
    assert replace(INSTANCE, operation=operation).busy is (state is OperationState.IN_PROGRESS)
