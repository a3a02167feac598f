"""Operators' commands about webhooks, as they are typed, over tables and queues in moto."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber
from typer.testing import CliRunner

from lambdas.aws import clients
from lambdas.aws.archive import Archive
from lambdas.aws.backlog import Backlog
from lambdas.aws.binding_seal import BindingVault
from lambdas.aws.broker_table import BrokerTable
from lambdas.aws.delivery_queue import decode
from lambdas.aws.items import from_item, to_item
from lambdas.aws.seal import seal, unseal
from lambdas.aws.webhook_state import WebhookStates
from lambdas.aws.webhook_table import webhook_key
from lambdas.domain.delivery import Delivery, DeliveryBatch
from lambdas.domain.instance import Binding, BindingSecret, BindingState, BindRequest
from lambdas.domain.signature import WebhookSecret, new_secret
from lambdas.domain.webhook import NotificationFormat, WebhookId
from ops.__main__ import app
from ops.dead_letters import HOME
from ops.stack import Stack, StackMissing
from tests.aws.tables import create_backlog, dynamodb_with

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_sqs import SQSClient

NOW = datetime.now(UTC)
WEBHOOK = WebhookId("w1")


@dataclass
class Ops:
    """A stack in moto, and its operator."""

    dynamodb: "DynamoDBClient"
    sqs: "SQSClient"
    queues: dict[str, str]

    def run(self, *words: str, ok: bool = True) -> Any:
        """What a command says, as JSON; its error if it is not to succeed."""
        done = CliRunner().invoke(app, [*words, "--json"])
        assert (done.exit_code == 0) is ok, done.output
        return json.loads(done.stdout) if ok else done.stderr

    def put_webhook(self, **more: object) -> None:
        """Write the webhook as the broker does."""
        item = {**webhook_key("i1", WEBHOOK), "url": "https://h.example/x", "format": "standard-webhooks", "version": 1}
        self.dynamodb.put_item(TableName="webhooks", Item=to_item({**item, "events": ["bounce"], **more}))

    def health(self) -> dict[str, Any]:
        """The webhook's health as recorded."""
        key = to_item(webhook_key("i1", WEBHOOK))
        return dict(from_item(self.dynamodb.get_item(TableName="webhooks", Key=key)["Item"]).get("health", {}))

    def queued(self, name: str = "deliveries") -> list[str]:
        """The bodies in a queue."""
        messages = self.sqs.receive_message(QueueUrl=self.queues[name], MaxNumberOfMessages=10).get("Messages", [])
        return [message["Body"] for message in messages]


@pytest.fixture
def ops(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ops]:
    """A stack with one healthy webhook of one binding."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    clients.client.cache_clear()  # type: ignore[attr-defined]
    with dynamodb_with("webhooks") as dynamodb:
        create_backlog(dynamodb, "backlog")
        create_backlog(dynamodb, "broker")
        sqs = boto3.client("sqs", region_name="us-east-1")
        queues = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in {*HOME, *HOME.values()}}
        monkeypatch.setattr("ops.tools.find", lambda name: _stack(name, queues))
        stack = Ops(dynamodb, sqs, queues)
        stack.put_webhook()
        _bind(dynamodb)
        yield stack
    clients.client.cache_clear()  # type: ignore[attr-defined]


def _stack(name: str, queues: dict[str, str]) -> Stack:
    """The stack as its outputs tell of it."""
    if name != "ses-feedback":
        raise StackMissing(f"stack {name} in us-east-1: there is none")
    return Stack(
        name=name,
        region="us-east-1",
        outputs={
            "EventTopicArn": "arn:aws:sns:us-east-1:123456789012:events",
            "KeyArn": "arn:aws:kms:us-east-1:123456789012:key/k",
        },
        tables={"webhooks": "webhooks", "backlog": "backlog", "broker": "broker"},
        queues=queues,
        functions={},
    )


def _bind(dynamodb: "DynamoDBClient") -> None:
    request = BindRequest(service_id="s", plan_id="p", notification_email="ops@shop.example")
    BrokerTable(dynamodb, "broker").save_binding(
        Binding(
            id="b1",
            instance_id="i1",
            state=BindingState.READY,
            request=request,
            effective=request,
            created_at=NOW,
            webhook_id=WEBHOOK,
            email_webhook_id="email-b1",
        )
    )


def batch(*ids: str, created_at: datetime = NOW) -> DeliveryBatch:
    """Deliveries for the webhook."""
    deliveries = tuple(
        Delivery(
            id=id_,
            type="email.bounced",
            timestamp=NOW,
            created_at=created_at,
            format=NotificationFormat.STANDARD_WEBHOOKS,
            body=f'"{id_}"',
            headers={},
        )
        for id_ in ids
    )
    return DeliveryBatch(instance_id="i1", webhook_id=WEBHOOK, attempt=3, deliveries=deliveries)


def failing(**more: object) -> dict[str, object]:
    """A failing webhook's record."""
    attempt = {
        "delivery": "msg_1",
        "type": "email.bounced",
        "at": NOW.isoformat(),
        "reason": "503",
        "excerpt": "[busy]",
    }
    record = {"state": "failing", "since": NOW.isoformat(), "failures": 3, "last_reason": "503", "webhook_version": 1}
    return {**record, "record": 4, "attempts": [{**attempt, "excerpt": "[busy]"}], **more}


def test_webhooks_are_listed_with_health_and_what_waits(ops: Ops) -> None:
    """One row each."""
    ops.put_webhook(health=failing())
    Backlog(ops.dynamodb, "backlog").park([(batch("a", "b"), NOW)], now=NOW)

    (row,) = ops.run("webhooks", "list")

    assert (row["webhook"], row["health"], row["last_failure"], row["waiting"]) == ("w1", "failing", "503", 2)
    assert ops.run("webhooks", "list", "--instance", "i2") == []


def test_only_unwell_webhooks_on_request(ops: Ops) -> None:
    """What an operator looks for in the morning."""
    assert ops.run("webhooks", "list", "--unwell") == []


def test_a_table_for_people_shows_the_same(ops: Ops) -> None:
    """Brackets in a receiver's answer are no markup."""
    ops.put_webhook(health=failing())

    assert "[busy]" in CliRunner(env={"COLUMNS": "200"}).invoke(app, ["attempts"]).stdout
    assert "failing" in CliRunner(env={"COLUMNS": "200"}).invoke(app, ["webhooks", "show", "w1"]).stdout
    assert "No webhooks." in CliRunner().invoke(app, ["webhooks", "list", "--instance", "i2"]).stdout


def test_a_webhook_is_shown_with_all_that_is_known_but_its_secret(ops: Ops) -> None:
    """Nothing sealed, nothing signed."""
    ops.put_webhook(health=failing(), sealed=b"sealed", bindings=["b1"], scope="instance")

    shown = ops.run("webhooks", "show", "w1")

    assert (shown["failures_in_a_row"], shown["bindings"], shown["events"]) == (3, ["b1"], ["bounce"])
    assert "sealed" not in shown


def test_failed_attempts_tell_what_was_answered(ops: Ops) -> None:
    """The latest first."""
    ops.put_webhook(health=failing())

    (attempt,) = ops.run("attempts", "w1")

    assert (attempt["delivery"], attempt["result"], attempt["answer"]) == ("msg_1", "503", "[busy]")


def test_disabling_and_enabling(ops: Ops) -> None:
    """Enabled, it is due for a probe at once, and release looks at what waits."""
    backlog = Backlog(ops.dynamodb, "backlog")
    backlog.park([(batch("a"), NOW + timedelta(hours=9))], now=NOW)

    ops.run("webhooks", "disable", "w1")
    assert (ops.health()["state"], ops.health()["by_operator"]) == ("disabled", True)

    ops.run("webhooks", "enable", "w1")
    assert ops.health()["state"] == "failing"
    assert datetime.fromisoformat(ops.health()["probe_at"]) <= datetime.now(UTC)
    assert list(backlog.due(now=datetime.now(UTC)))


def test_a_test_is_queued_and_its_result_awaited(ops: Ops) -> None:
    """Without waiting it is only queued; with, no result is a failure of the command."""
    sent = ops.run("webhooks", "test", "w1", "--wait", "0")

    (body,) = ops.queued()
    (test,) = decode(body).deliveries
    assert (test.type, test.id) == ("webhook.test", sent["delivery"])


def test_a_webhook_that_is_not_there_is_told_in_a_line(ops: Ops) -> None:
    """With what would help."""
    assert "there is no webhook nope" in ops.run("webhooks", "show", "nope", ok=False)


def test_replay_sends_what_was_delivered_since_a_time_again(ops: Ops) -> None:
    """Under the same ids, as first attempts, with 14 days to live."""
    archive = Archive(ops.dynamodb, "backlog")
    archive.keep([batch("old")], now=NOW - timedelta(hours=3))
    archive.keep([batch("a", "b")], now=NOW - timedelta(minutes=5))

    told = ops.run("replay", "--binding", "b1", "--since", "1h")

    (body,) = ops.queued()
    again = decode(body)
    assert (told["deliveries"], again.attempt, sorted(one.id for one in again.deliveries)) == (2, 1, ["a", "b"])
    assert all(one.created_at > NOW for one in again.deliveries)


def test_replay_of_one_by_its_id_and_of_none(ops: Ops) -> None:
    """One that is not kept is a failure of the command."""
    Archive(ops.dynamodb, "backlog").keep([batch("a", "b")], now=NOW)

    assert ops.run("replay", "--binding", "b1", "--id", "b")["deliveries"] == 1
    assert [[one.id for one in decode(body).deliveries] for body in ops.queued()] == [["b"]]
    assert CliRunner().invoke(app, ["replay", "--binding", "b1", "--id", "c"]).exit_code == 1


def test_replay_takes_what_is_parked_out_of_the_backlog(ops: Ops) -> None:
    """At the end of its ladder, say; it goes once, not now and later again."""
    backlog = Backlog(ops.dynamodb, "backlog", side_by_side=1)
    backlog.park([(batch("a", "b"), NOW + timedelta(days=14))], now=NOW)

    ops.run("replay", "--binding", "b1", "--since", "1d")

    assert [sorted(one.id for one in decode(body).deliveries) for body in ops.queued()] == [["a", "b"]]
    assert [parked for lane in backlog.lanes("i1", WEBHOOK) for parked in backlog.read(lane)] == []


def test_a_dry_run_replays_nothing(ops: Ops) -> None:
    """It counts."""
    Archive(ops.dynamodb, "backlog").keep([batch("a")], now=NOW)

    assert ops.run("replay", "--binding", "b1", "--since", "1h", "--dry-run")["deliveries"] == 1
    assert ops.queued() == []


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--binding", "b1"), "--since or --id"),
        (("--binding", "b1", "--since", "yesterday"), "yesterday is no time"),
        (("--binding", "b9", "--since", "1h"), "no binding b9"),
    ],
)
def test_a_replay_that_makes_no_sense_is_told_in_a_line(ops: Ops, words: tuple[str, ...], complaint: str) -> None:
    """And changes nothing."""
    assert complaint in ops.run("replay", *words, ok=False)


def test_dead_letters_are_counted_and_moved_back(ops: Ops) -> None:
    """Body and message group as they were."""
    for number in range(12):
        ops.sqs.send_message(QueueUrl=ops.queues["deliveries_dlq"], MessageBody=f"m{number}", MessageGroupId="w1")

    counts = {row["queue"]: row["messages"] for row in ops.run("dlq", "list")}
    assert counts["deliveries_dlq"] == 12
    assert ops.run("dlq", "redrive", "deliveries_dlq", "--max", "11")["moved"] == 11

    counts = {row["queue"]: row["messages"] for row in ops.run("dlq", "list")}
    assert counts["deliveries_dlq"] == 1
    assert len(ops.queued()) == 10
    assert "there is no dead-letter queue nope" in ops.run("dlq", "redrive", "nope", ok=False)


def test_an_address_comes_off_the_suppression_list(ops: Ops, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is not on it is told."""
    ses = boto3.client("sesv2", region_name="us-east-1")
    monkeypatch.setattr("ops.addresses.client", lambda _: ses)
    with Stubber(ses) as stub:
        stub.add_response("delete_suppressed_destination", {}, {"EmailAddress": "joe@x.example"})
        stub.add_client_error("delete_suppressed_destination", "NotFoundException")

        assert ops.run("suppression", "remove", "joe@x.example") == {"address": "joe@x.example", "removed": True}
        assert "not on the suppression list" in ops.run("suppression", "remove", "jane@x.example", ok=False)


def test_a_recipient_is_asked_to_confirm_again(ops: Ops) -> None:
    """The binding's digests."""
    sns = boto3.client("sns", region_name="us-east-1")
    arn = sns.create_topic(Name="ses-feedback-b1-notifications")["TopicArn"]

    told = ops.run("resubscribe", "b1")

    assert (told["topic"], told["email"]) == (arn, "ops@shop.example")
    (subscription,) = sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    assert subscription["Endpoint"] == "ops@shop.example"
    assert "neither a binding" in ops.run("resubscribe", "nobody", ok=False)


def test_a_stack_that_is_not_there_is_told_in_a_line(ops: Ops) -> None:
    """With the region that was looked in."""
    assert "stack nope in us-east-1" in ops.run("webhooks", "list", "--stack", "nope", ok=False)


def test_a_new_secret_signs_beside_the_old_one_and_the_binding_shows_it(
    ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For 24 hours; said again in that time, the secret stays."""
    kms = clients.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    stack = _stack("ses-feedback", ops.queues)
    monkeypatch.setattr("ops.tools.find", lambda _: replace(stack, outputs={**stack.outputs, "KeyArn": key}))
    old, vault = new_secret(), BindingVault(kms, key)
    broker = BrokerTable(ops.dynamodb, "broker")
    sealed = seal(kms, key, WEBHOOK, WebhookSecret(secret=old, userinfo="joe:pw"))
    ops.put_webhook(sealed=sealed, bindings=["b1", "gone"])
    binding = broker.binding("i1", "b1")
    assert binding
    broker.save_binding(replace(binding, sealed=vault.seal("b1", BindingSecret(access_key_id="A", webhook_secret=old))))

    told = [ops.run("webhooks", "rotate", "w1") for _ in range(2)]

    target = WebhookStates(ops.dynamodb, "webhooks").load([("i1", WEBHOOK)], now=NOW)["i1", WEBHOOK]
    new, previous = (unseal(kms, WEBHOOK, one) for one in target.seals(now=NOW + timedelta(hours=23)))
    binding = broker.binding("i1", "b1")
    assert binding
    shown = vault.open("b1", binding.sealed)
    assert [one["bindings"] for one in told] == [["b1"], ["b1"]]
    assert previous.secret == old
    assert new == WebhookSecret(secret=shown.webhook_secret, userinfo="joe:pw")
    assert (shown.access_key_id, shown.webhook_secret == old) == ("A", False)
    assert len(target.seals(now=NOW + timedelta(hours=25))) == 1
