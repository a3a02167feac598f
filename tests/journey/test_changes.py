"""What tenants change: a webhook, admin_email, a digest's recipient; an identity that was there; rates that recover."""

import pytest

from lambdas.domain.tenants.aws_names import alert_topic, configuration_set, iam_user, notification_topic
from local.tenant.receiver import Receiver
from local.tenant.tenant import Tenant
from tests.journey.conftest import Ops, Stack
from tests.journey.looking import messages, publish_history, subscribers, topics, users

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journey")]


def test_an_update_gives_a_binding_another_webhook(stack: Stack, receiver: Receiver) -> None:
    """The new URL is tested, though delivery has just posted to the old one; the next event goes there, too."""
    tenant = stack.tenant(receiver.url("/old"))
    receiver.wait_for("/old", kind="webhook.test")
    change = {"notification_webhook": receiver.url("/new")}

    stack.broker.update(tenant.instance_id, {"bindings": {tenant.binding_id: change}})

    [tested] = receiver.wait_for("/new", kind="webhook.test")
    assert tested.is_signed_with(tenant.secret)
    tenant.mailbox.send("bounce@shop.example")
    receiver.wait_for("/new", kind="email.bounced")


def test_admin_email_can_be_changed_after_it_was_confirmed(stack: Stack, receiver: Receiver) -> None:
    """Twice: each time the confirmed address is unsubscribed. The embedded SNS confirms e-mail by itself."""
    tenant = stack.tenant(receiver.url())
    for email in ("second@shop.example", "third@shop.example"):
        stack.broker.update(tenant.instance_id, {"admin_email": email})
        assert subscribers(stack, alert_topic(tenant.instance_id)) == [email]


def test_a_digest_reaches_notification_email(stack: Stack, receiver: Receiver) -> None:
    """Through a topic of the binding's own, which goes with the binding."""
    tenant = stack.tenant(receiver.url(), bind={"notification_email": "digests@shop.example"})
    topic = notification_topic(tenant.binding_id)
    assert subscribers(stack, topic) == ["digests@shop.example"]
    tenant.mailbox.send("bounce@shop.example")
    stack.eventually(lambda: messages(stack, "release"), lambda told: "digest sent" in told, timeout=90)

    tenant.leave()

    assert topic not in topics(stack)


def test_an_identity_of_the_instance_is_adopted_and_gets_its_configuration_set(stack: Stack, new_id: str) -> None:
    """As a provision leaves it that crashed, and somebody gave another default set."""
    ses, domain = stack.client("sesv2"), f"{new_id[:8]}.example"
    ses.create_configuration_set(ConfigurationSetName=f"other-{new_id}")
    tags = [{"Key": "ses-feedback:instance-id", "Value": new_id}]
    ses.create_email_identity(EmailIdentity=domain, ConfigurationSetName=f"other-{new_id}", Tags=tags)

    stack.broker.provision(new_id, {"admin_email": "admin@shop.example", "domain": domain})

    assert ses.get_email_identity(EmailIdentity=domain)["ConfigurationSetName"] == configuration_set(new_id)
    stack.broker.deprovision(new_id)
    ses.delete_configuration_set(ConfigurationSetName=f"other-{new_id}")


def test_a_warned_tenant_recovers_when_its_rates_fall(stack: Stack, ops: Ops, receiver: Receiver) -> None:
    """Good mail dilutes the bounces; the next bounce finds it so."""
    tenant = stack.tenant(receiver.url())
    publish_history(stack, tenant, deliveries=500, bounces=12)
    stack.eventually(lambda: status(ops, tenant), lambda now: now == ("warned", 12, []))
    publish_history(stack, tenant, deliveries=1000, bounces=1)
    stack.eventually(lambda: status(ops, tenant), lambda now: now == ("healthy", 13, []))


def status(ops: Ops, tenant: Tenant) -> tuple[str, int, list[str]]:
    """The tenant's state, its bounces, and what is still to be done about its last change."""
    shown = ops("reputation", tenant.instance_id)
    return shown["state"], shown["bounces"], shown["undone"]


def test_an_instance_made_anew_on_a_paused_domain_starts_paused(stack: Stack, ops: Ops, new_id: str) -> None:
    """The pause outlives the instance. Its bindings have ids that IAM cannot carry, and leave nothing either."""
    domain, binding = f"{new_id[:8]}.example", f"{new_id[:8]}~B"
    parameters = {"admin_email": "admin@shop.example", "domain": domain}
    stack.broker.provision(new_id, parameters)
    stack.broker.bind(new_id, binding)
    assert iam_user(binding) in users(stack)
    ops("pause", new_id, "--reason", "phishing")
    stack.broker.unbind(new_id, binding)
    stack.broker.deprovision(new_id)
    assert iam_user(binding) not in users(stack)

    again = f"{new_id[:-1]}x"
    stack.broker.provision(again, parameters)

    assert ops("reputation", again)["state"] == "paused"
    stack.broker.deprovision(again)
