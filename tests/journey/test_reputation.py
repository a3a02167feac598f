"""A tenant whose mail bounces is paused, told, and resumed by an operator: through the deployed stack."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from lambdas.aws.dynamodb.reputation.ledger import Ledger
from lambdas.domain.reputation.ledger import bucket_of
from lambdas.domain.reputation.sending_status import midnight_after
from local.tenant.receiver import Receiver
from ops.deployment.stack import find
from ops.reputation.sending_status import reputation_composition
from tests.journey.conftest import DAILY_CAP, Ops, Stack
from tests.journey.looking import observer_of, publish_history

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journey")]


@pytest.mark.incident("paused-wrongly")
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
    assert sum("crosses" in row["expected"] and "is notified" not in row["expected"] for row in fired) == 4
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


def test_the_daily_cap_stops_sending_until_midnight_but_an_operator_s_pause_stays(
    stack: Stack, ops: Ops, receiver: Receiver
) -> None:
    """By the counts of the day; the next day begins as soon as the pause's end and the counts lie in the past."""
    if "reputation-cap" not in stack.facts["functions"]:
        pytest.skip("this stack has no daily cap")
    tenant = stack.tenant(receiver.url())
    _use_up_the_day(stack, tenant.instance_id, but=1)
    tenant.mailbox.send("joe@shop.example")
    [paused] = receiver.wait_for(kind="reputation.paused")
    data = paused.event["data"]
    assert (data["cause"], data["reasons"]) == ("daily_cap", [])
    assert datetime.fromisoformat(data["paused_until"]) == midnight_after(datetime.fromisoformat(data["paused_at"]))
    with pytest.raises(ClientError, match="paused"):
        tenant.mailbox.send("joe@shop.example")
    shown = stack.eventually(lambda: ops("reputation", tenant.instance_id), lambda row: not row["undone"])
    assert (shown["state"], shown["cause"]) == ("paused", "daily_cap")
    assert "the cap is 20,000 a day" in shown["history"][0]["why"]
    _sweep(stack)
    assert ops("reputation", tenant.instance_id)["state"] == "paused"

    _next_day(stack, tenant.instance_id)
    _sweep(stack)
    assert ops("reputation", tenant.instance_id)["state"] == "healthy"
    tenant.mailbox.send("ann@shop.example")
    assert len(receiver.wait_for(kind="email.delivered", count=2)) == 2

    _use_up_the_day(stack, tenant.instance_id)
    stack.eventually(lambda: ops("reputation", tenant.instance_id)["state"], lambda state: state == "paused")
    ops("pause", tenant.instance_id, "--reason", "phishing")
    _next_day(stack, tenant.instance_id)
    _sweep(stack)
    shown = ops("reputation", tenant.instance_id)
    assert (shown["state"], shown["cause"]) == ("paused", "operator")


def _use_up_the_day(stack: Stack, instance_id: str, *, but: int = 0) -> None:
    """Count as many deliveries as the day's cap, less *but*, as the feedback function counts them."""
    ledger = Ledger(stack.client("dynamodb"), stack.facts["tables"]["reputation"])
    ledger.add_deliveries(instance_id, {bucket_of(datetime.now(UTC)): DAILY_CAP - but})


def _next_day(stack: Stack, instance_id: str) -> None:
    """Put the instance's counts and the end of its pause into the past."""
    dynamodb, table = stack.client("dynamodb"), stack.facts["tables"]["reputation"]
    counted = dynamodb.query(
        TableName=table,
        KeyConditionExpression="instance_id = :instance AND begins_with(#item, :deliveries)",
        ExpressionAttributeNames={"#item": "item"},
        ExpressionAttributeValues={":instance": {"S": instance_id}, ":deliveries": {"S": "deliveries#"}},
    )["Items"]
    for item in counted:
        dynamodb.delete_item(TableName=table, Key={name: item[name] for name in ("instance_id", "item")})
    key = {"instance_id": {"S": instance_id}, "item": {"S": "sending_status"}}
    if "until" in dynamodb.get_item(TableName=table, Key=key)["Item"]:
        dynamodb.update_item(
            TableName=table,
            Key=key,
            UpdateExpression="SET #until = :past",
            ExpressionAttributeNames={"#until": "until"},
            ExpressionAttributeValues={":past": {"S": (datetime.now(UTC) - timedelta(seconds=1)).isoformat()}},
        )


def _sweep(stack: Stack) -> None:
    """Run what midnight runs."""
    answer = stack.client("lambda").invoke(FunctionName=stack.facts["functions"]["reputation-sweep"])
    assert "FunctionError" not in answer
