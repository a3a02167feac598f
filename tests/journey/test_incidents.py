"""Incidents of docs/runbooks on the embedded AWS: each happens, is seen as its page says, is ended by its commands.

And nothing is lost or counted twice. What no embedded AWS has, such as a quota of IAM, is in tests/broker.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dns.resolver
import httpx
import pytest
from botocore.exceptions import ClientError

from lambdas.aws.dynamodb.webhooks.webhook_states import KEPT_FOR
from lambdas.domain.tenants.aws_names import EVENT_DESTINATION
from local.tenant.receiver import Receiver
from local.tenant.tenant import Tenant
from ops.deployment.osb import BrokerRefused
from ops.deployment.stack import find
from ops.doctor import deployment, instances, sending, zone
from ops.doctor.account import Account
from ops.doctor.findings import Check, Level, run
from tests.faults.scenes import environment
from tests.faults.throttle import Throttle
from tests.iam.requests import ABSENT_TABLE
from tests.journey.conftest import Ops, Stack

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journey")]


@pytest.fixture
def account(ops: Ops) -> Account:
    """What the doctor looks at, with every instance in its sample."""
    del ops  # it leads the environment to the embedded AWS
    return Account(stack=find(), sample=50)


def levels(check: Check, account: Account, name: str) -> set[Level]:
    """What one of the doctor's checks says under *name*."""
    return {finding.level for finding in run(check, account) if finding.check == name}


@contextmanager
def coming_back_soon(stack: Stack, queue: str, *, receives: int = 1_000) -> Iterator[None]:
    """Messages that fail come back after a second, and are dead letters after so many receives."""
    sqs, url = stack.client("sqs"), stack.facts["queues"][queue]
    names = ("VisibilityTimeout", "RedrivePolicy")
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names))["Attributes"]
    before = {name: answer[name] for name in names}
    policy = {**json.loads(before["RedrivePolicy"]), "maxReceiveCount": receives}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1", "RedrivePolicy": json.dumps(policy)})
    try:
        yield
    finally:
        sqs.set_queue_attributes(QueueUrl=url, Attributes=before)


def logged(ops: Ops, function: str) -> set[str]:
    """The exceptions that a function logged lately."""
    return {str(row["exception"]) for row in ops("errors", function, "--since", "1h")}


def bounced_once(stack: Stack, tenant: Tenant, receiver: Receiver) -> None:
    """A bounce arrived, and was counted once."""
    assert receiver.wait_for(kind="email.bounced")
    assert stack.counters(tenant.instance_id)["bounces"] == 1


@pytest.mark.incident("account-paused")
def test_ses_pauses_the_account(stack: Stack, ops: Ops, account: Account, receiver: Receiver) -> None:
    """Nobody sends; who caused it is paused, and stays so when AWS ends it, until an operator resumes it."""
    tenant = stack.tenant(receiver.url())
    ses = stack.client("sesv2")
    ses.put_account_sending_attributes(SendingEnabled=False)
    try:
        assert levels(sending.sending, account, "enforcement") == {Level.PROBLEM}
        with pytest.raises(ClientError, match="Sending paused for this account"):
            tenant.mailbox.send("success@shop.example")
        ops("reputation", "--all")
        ops("pause", tenant.instance_id, "--reason", "account under review")
    finally:
        ses.put_account_sending_attributes(SendingEnabled=True)
    assert levels(sending.sending, account, "enforcement") == {Level.OK}
    with pytest.raises(ClientError, match="paused for configuration set"):
        tenant.mailbox.send("success@shop.example")
    ops("resume", tenant.instance_id, "--reason", "the list was cleaned")
    tenant.mailbox.send("success@shop.example")
    assert receiver.wait_for(kind="email.delivered")


@pytest.mark.incident("bad-deployment")
def test_a_bad_deployment_fills_a_dead_letter_queue(stack: Stack, ops: Ops, receiver: Receiver) -> None:
    """Its errors are logged; the previous version and a redrive bring the events, each counted once."""
    tenant = stack.tenant(receiver.url())
    functions, name = stack.client("lambda"), stack.facts["functions"]["feedback"]
    with coming_back_soon(stack, "events", receives=1), environment(functions, name, REPUTATION_TABLE=ABSENT_TABLE):
        tenant.mailbox.send("bounce@shop.example")
        stack.eventually(lambda: stack.waiting("events_dlq"), lambda waiting: waiting == 1)
    (row,) = ops("dlq", "list", "events_dlq")
    assert row["messages"] == 1
    stack.eventually(lambda: logged(ops, "feedback"), lambda found: "ResourceNotFoundException" in found)
    assert stack.counters(tenant.instance_id)["bounces"] == 0

    assert ops("dlq", "redrive", "events_dlq")["moved"] == 1
    bounced_once(stack, tenant, receiver)
    assert stack.waiting("events_dlq") == 0


@pytest.mark.incident("dynamodb-throttled")
def test_dynamodb_throttles(stack: Stack, ops: Ops, receiver: Receiver) -> None:
    """The errors name it; the events wait in their queue and are counted once when it has passed."""
    tenant = stack.tenant(receiver.url())
    facts, functions = stack.facts, stack.client("lambda")
    with (
        Throttle(facts["aws_endpoint_url"], facts["tables"]["reputation"]) as throttle,
        coming_back_soon(stack, "events"),
        environment(functions, facts["functions"]["feedback"], AWS_ENDPOINT_URL_DYNAMODB=throttle.url),
    ):
        throttle.on.set()
        tenant.mailbox.send("bounce@shop.example")
        stack.eventually(
            lambda: logged(ops, "feedback"), lambda found: "ProvisionedThroughputExceededException" in found
        )
        throttle.on.clear()
        bounced_once(stack, tenant, receiver)


@pytest.mark.incident("key-disabled")
def test_the_kms_key_is_disabled(stack: Stack, account: Account, receiver: Receiver, new_id: str) -> None:
    """Binds fail, deliveries wait; with the key enabled again the event arrives and binds work."""
    tenant = stack.tenant(receiver.url())
    assert receiver.wait_for(kind="webhook.test")
    kms, key = stack.client("kms"), account.deployed.outputs["KeyArn"]
    fresh = environment(stack.client("lambda"), stack.facts["functions"]["delivery"], FRESH=new_id)
    with coming_back_soon(stack, "deliveries"), fresh:  # a new process: those that run have the secret
        kms.disable_key(KeyId=key)
        try:
            assert levels(deployment.key, account, "key") == {Level.PROBLEM}
            with pytest.raises(BrokerRefused) as refused:
                stack.broker.bind(tenant.instance_id, new_id, {"notification_webhook": receiver.url()})
            assert refused.value.status == httpx.codes.INTERNAL_SERVER_ERROR
            tenant.mailbox.send("bounce@shop.example")
            stack.eventually(lambda: stack.counters(tenant.instance_id)["bounces"], lambda count: count == 1)
            assert not receiver.wait_for(kind="email.bounced", timeout=2)
        finally:
            kms.enable_key(KeyId=key)
        assert levels(deployment.key, account, "key") == {Level.OK}
        bounced_once(stack, tenant, receiver)
    assert stack.waiting("deliveries_dlq") == 0
    assert stack.broker.bind(tenant.instance_id, new_id, {"notification_webhook": receiver.url()})
    stack.broker.unbind(tenant.instance_id, new_id)


@pytest.mark.incident("configuration-set-deleted")
def test_a_configuration_set_is_deleted_by_hand(stack: Stack, ops: Ops, account: Account, receiver: Receiver) -> None:
    """The doctor finds it; a repair creates it again, with its events, and paused, because the instance is paused."""
    tenant = stack.tenant(receiver.url())
    name = tenant.credentials["configuration_set"]
    ops("pause", tenant.instance_id, "--reason", "phishing")
    stack.client("sesv2").delete_configuration_set(ConfigurationSetName=name)
    assert Level.PROBLEM in levels(instances.instances, account, "instances")
    with pytest.raises(ClientError, match="does not exist"):
        tenant.mailbox.send("bounce@shop.example")

    assert len(ops("repair", tenant.instance_id)["repaired"]) == 1

    assert levels(instances.instances, account, "instances") == {Level.OK}
    assert ops("repair", tenant.instance_id)["repaired"] == []
    altered = {
        "Enabled": True,
        "MatchingEventTypes": ["SEND"],
        "SnsDestination": {"TopicArn": stack.facts["event_topic_arn"]},
    }
    stack.client("sesv2").update_configuration_set_event_destination(
        ConfigurationSetName=name, EventDestinationName=EVENT_DESTINATION, EventDestination=altered
    )
    assert len(ops("repair", tenant.instance_id)["repaired"]) == 1
    with pytest.raises(ClientError, match="paused for configuration set"):
        tenant.mailbox.send("bounce@shop.example")
    ops("resume", tenant.instance_id, "--reason", "the account was cleaned")
    tenant.mailbox.send("bounce@shop.example")
    bounced_once(stack, tenant, receiver)


@pytest.mark.incident("webhook-secret-leaked")
def test_a_webhooks_secret_leaks(stack: Stack, ops: Ops, receiver: Receiver) -> None:
    """Within seconds nothing is signed with it; the binding has the new one, with which all that waited arrives."""
    tenant = stack.tenant(receiver.url())
    assert receiver.wait_for(kind="webhook.test")
    (row,) = ops("webhooks", "list", "--instance", tenant.instance_id)
    known = [tenant.secret]  # what the application verifies with
    receiver.answer(lambda received: 204 if received.is_signed_with(known[0]) else 401)

    ops("webhooks", "rotate", row["webhook"], "--now")
    time.sleep(KEPT_FOR.total_seconds() + 0.5)  # until no process of delivery knows the old one
    tenant.mailbox.send("bounce@shop.example")
    stack.eventually(lambda: receiver.received(ok=False), lambda found: any(one.status == 401 for one in found))
    assert not [one for one in receiver.received() if one.type == "email.bounced"]

    known[0] = stack.broker.binding(tenant.instance_id, tenant.binding_id)["credentials"]["webhook_secret"]
    assert known[0] != tenant.secret
    bounced_once(stack, tenant, receiver)
    assert ops("webhooks", "test", row["webhook"])


class _NameServer:
    """One record of an answer."""

    def __init__(self, target: str) -> None:
        self.target = target


@pytest.mark.incident("zone-lost")
def test_the_zone_loses_its_delegation_and_then_its_records(
    stack: Stack, account: Account, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The doctor prints the name servers that the parent zone must have; an update makes the records again."""
    tenant = stack.tenant(receiver.url())

    def nowhere(*_: object, **__: object) -> None:
        raise dns.resolver.NXDOMAIN

    monkeypatch.setattr("dns.resolver.resolve", nowhere)
    (lost,) = [finding for finding in run(zone.zone, account) if finding.check == "delegation"]
    assert lost.level is Level.PROBLEM
    servers = lost.remedy.rpartition(" with ")[2].split(", ")
    monkeypatch.setattr("dns.resolver.resolve", lambda *_, **__: [_NameServer(f"{server}.") for server in servers])
    assert levels(zone.zone, account, "delegation") == {Level.OK}

    records = _records(stack, account, tenant)
    assert records
    _change(stack, account, "DELETE", records)
    assert not _records(stack, account, tenant)
    stack.broker.update(tenant.instance_id, {"admin_email": "team@agency.gov"})
    assert {(one["Name"], one["Type"]) for one in _records(stack, account, tenant)} == {
        (one["Name"], one["Type"]) for one in records
    }


def _records(stack: Stack, account: Account, tenant: Tenant) -> list[dict[str, Any]]:
    zone_id = account.environment["OPERATOR_ZONE_ID"]
    found = stack.client("route53").list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]
    return [one for one in found if one["Name"].rstrip(".").endswith(tenant.credentials["domain"])]


def _change(stack: Stack, account: Account, action: str, records: list[dict[str, Any]]) -> None:
    changes = [{"Action": action, "ResourceRecordSet": record} for record in records]
    stack.client("route53").change_resource_record_sets(
        HostedZoneId=account.environment["OPERATOR_ZONE_ID"], ChangeBatch={"Changes": changes}
    )
