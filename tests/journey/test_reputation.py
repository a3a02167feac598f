"""A tenant whose mail bounces is paused, told, and resumed by an operator: through the deployed stack."""

import uuid
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from local.tenant.receiver import Receiver
from ops.deployment.stack import find
from ops.reputation.sending_status import reputation_composition
from tests.journey.conftest import Ops, Stack
from tests.journey.looking import observer_of, publish_history

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journey")]


def test_a_tenant_that_bounces_is_paused_told_and_resumed(stack: Stack, ops: Ops, receiver: Receiver) -> None:
    """The switch in SES, the webhook, the refused mail, the evidence; then a resume that holds."""
    tenant = stack.tenant(receiver.url())
    publish_history(stack, tenant, deliveries=600, bounces=40)
    [paused] = receiver.wait_for(kind="reputation.paused")
    assert paused.is_signed_with(tenant.secret)
    assert paused.event["data"]["reasons"] == ["bounce_rate"]

    with pytest.raises(ClientError, match="paused"):
        tenant.mailbox.send("joe@shop.example")
    shown = stack.eventually(lambda: ops("reputation", tenant.instance_id), lambda row: not row["undone"])
    assert (shown["state"], shown["bounces"], shown["deliveries"]) == ("paused", 40, 600)
    assert shown["ledger"][0]["recipients"] == [f"b{number}@shop.example" for number in range(40)]
    assert next(row["instance"] for row in ops("reputation", "--all")) == tenant.instance_id
    ops("pause", tenant.instance_id, "--reason", "twice", status=1)

    ops("resume", tenant.instance_id, "--reason", "list cleaned")
    shown = ops("reputation", tenant.instance_id)
    assert (shown["state"], shown["bounces"]) == ("healthy", 0)
    assert shown["history"][0]["why"] == "list cleaned"
    assert ":" in shown["history"][0]["by"]
    tenant.mailbox.send("success@shop.example")
    receiver.wait_for(kind="email.delivered")


def test_the_mark_of_a_paused_tenant_that_left_is_shown_and_lifted(stack: Stack, ops: Ops, receiver: Receiver) -> None:
    """Its domain keeps the pause until an operator says otherwise."""
    tenant = stack.tenant(receiver.url())
    domain = tenant.credentials["domain"]
    ops("pause", tenant.instance_id, "--reason", "phishing")
    tenant.leave_if_there()
    [mark] = [row for row in ops("marks") if row["domain"] == domain]
    assert mark["instance"] == tenant.instance_id
    ops("lift", domain, "--reason", "another team has it now")
    assert domain not in {row["domain"] for row in ops("marks")}


def test_the_sweep_runs_and_heals_what_somebody_else_switched(stack: Stack, ops: Ops, receiver: Receiver) -> None:
    """The function as deployed; and its check of one instance, with SES, the rate limiter and CloudWatch as they
    answer."""
    answer = stack.client("lambda").invoke(FunctionName=stack.facts["functions"]["reputation-sweep"])
    assert "FunctionError" not in answer

    tenant = stack.tenant(receiver.url())
    tenant.mailbox.send("success@shop.example")
    stack.eventually(lambda: stack.counters(tenant.instance_id)["deliveries"], lambda count: count == 1)
    ops("pause", tenant.instance_id, "--reason", "phishing")
    ses, name = stack.client("sesv2"), tenant.credentials["configuration_set"]
    ses.put_configuration_set_sending_options(ConfigurationSetName=name, SendingEnabled=True)
    composition, _ = reputation_composition(find())
    checked = composition.reconciler(observer_of(composition), lambda: 60.0).check(
        [tenant.instance_id], now=datetime.now(UTC)
    )
    assert checked == (1, 0)
    assert composition.sending.enabled(tenant.instance_id) is False


def test_the_fire_drill_crosses_every_threshold_and_leaves_nothing_behind(
    stack: Stack, ops: Ops, receiver: Receiver
) -> None:
    """Warning, pause, refused mail, resume; for bounces and for complaints."""
    tenant = stack.tenant(receiver.url())
    fired = ops("drill", "--from", tenant.mailbox.sender)
    assert all(row["fired"] for row in fired)
    assert sum("crosses" in row["expected"] and "is told" not in row["expected"] for row in fired) == 4
    assert sum("refused" in row["expected"] for row in fired) == 2
    assert not [row for row in ops("reputation", "--all") if row["instance"].startswith("drill-")]
    table = stack.facts["tables"]["reputation"]
    items = stack.client("dynamodb").scan(TableName=table)["Items"]
    assert not [item for item in items if "drill-" in item["instance_id"]["S"] + item["item"]["S"]]


def test_a_pause_is_not_shed_by_deleting_the_instance(stack: Stack, ops: Ops, receiver: Receiver) -> None:
    """The instance made anew on its domain starts paused, says why, and its pause is carried out at once."""
    domain = f"{uuid.uuid4().hex[:12]}.shop.example"
    first = stack.tenant(receiver.url(), provision={"domain": domain})
    publish_history(stack, first, deliveries=600, bounces=40)
    receiver.wait_for(kind="reputation.paused")
    first.leave()
    assert domain in {row["domain"] for row in ops("marks")}

    second = stack.tenant(receiver.url(), provision={"domain": domain})
    status = stack.broker.last_operation(second.instance_id, stack.broker.offer("aws-ses"))
    assert "was paused on" in status["description"]
    assert "bounce rate of 6.25%" in status["description"]
    shown = stack.eventually(lambda: ops("reputation", second.instance_id), lambda row: not row["undone"])
    assert (shown["state"], shown["cause"]) == ("paused", "earlier_pause")
    name = second.credentials["configuration_set"]
    ses = stack.client("sesv2")
    assert ses.get_configuration_set(ConfigurationSetName=name)["SendingOptions"]["SendingEnabled"] is False

    ops("resume", second.instance_id, "--reason", "another team has the domain now")
    assert ses.get_configuration_set(ConfigurationSetName=name)["SendingOptions"]["SendingEnabled"] is True
    assert domain not in {row["domain"] for row in ops("marks")}
