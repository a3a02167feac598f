"""Operators' commands about webhooks, as they are typed, over tables and queues in moto."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.stub import Stubber
from typer.testing import CliRunner

from lambdas.aws import clients
from lambdas.aws.dynamodb.backlog.archive import Archive
from lambdas.aws.dynamodb.backlog.backlog import Backlog
from lambdas.aws.dynamodb.confirmation_mails import ConfirmationMails
from lambdas.aws.dynamodb.webhooks.webhook_states import WebhookStates
from lambdas.aws.kms.webhook_secrets import decrypt, encrypt
from lambdas.aws.sqs.delivery_queue import decode
from lambdas.domain.webhooks.signature import WebhookSecret, new_secret
from ops.__main__ import app
from tests.broker.world import settings
from tests.ops.world import NOW, WEBHOOK, Ops, batch, deploy_broker, failing, stack_of


def test_webhooks_are_listed_with_health_and_what_waits(ops: Ops) -> None:
    """One row each."""
    ops.put_webhook(health=failing())
    Backlog(ops.dynamodb, "backlog").park([(batch("a", "b"), NOW)], now=NOW)

    (row,) = ops.run("webhooks", "list")

    assert (row["webhook"], row["health"], row["last_failure"], row["waiting"]) == ("w1", "failing", "503", 2)
    assert "there is no instance i2" in ops.run("webhooks", "list", "--instance", "i2", ok=False)


def test_only_unwell_webhooks_on_request(ops: Ops) -> None:
    """What an operator looks for in the morning."""
    assert ops.run("webhooks", "list", "--unwell") == []


def test_a_table_for_people_shows_the_same(ops: Ops) -> None:
    """A row a line, in a pipe, with the names that the platform gave."""
    ops.put_webhook(health=failing())

    assert "[busy]" in ops.say("attempts")
    assert "failing" in ops.say("webhooks", "show", "w1")
    heading, row = ops.say("webhooks", "list").splitlines()
    assert heading.split()[:4] == ["INSTANCE", "NAME", "ORGANIZATION", "SPACE"]
    assert row.split()[:6] == ["i1", "my-mail", "agency", "prod", "mail.agency.gov", "w1"]


def test_a_webhook_is_not_called_healthy_while_its_instance_sends_it_nothing(ops: Ops) -> None:
    """Feedback notifications are off: that is what an operator has to see."""
    ops.set_notifications(on=False)

    (row,) = ops.run("webhooks", "list")
    assert (row["health"], row["notifications"]) == ("notifications off", False)
    assert "healthy" not in ops.say("webhooks", "list")
    ops.put_webhook(health=failing())
    assert ops.run("webhooks", "show", "w1")["health"] == "failing"


def test_a_failure_is_not_the_last_one_any_more_after_a_recovery(ops: Ops) -> None:
    """When it was can still be seen."""
    recovered = {"failures": 0, "last_reason": "503", "last_failure": NOW.isoformat(), "state": "healthy"}
    ops.put_webhook(health=failing(**recovered))

    assert ops.run("webhooks", "list")[0]["last_failure"] is None
    shown = ops.run("webhooks", "show", "w1")
    assert (shown["last_failure"], shown["last_failure_at"]) == (None, NOW.isoformat())


def test_a_webhook_is_shown_with_all_that_is_known_but_its_secret(ops: Ops) -> None:
    """No ciphertext, no signing key."""
    ops.put_webhook(health=failing(), ciphertext=b"ciphertext", bindings=["b1"], scope="instance")

    shown = ops.run("webhooks", "show", "w1")

    assert (shown["failures_in_a_row"], shown["bindings"], shown["events"]) == (3, ["b1"], ["bounce"])
    assert "ciphertext" not in shown


def test_failed_attempts_tell_what_was_answered(ops: Ops) -> None:
    """The latest first."""
    ops.put_webhook(health=failing())

    (attempt,) = ops.run("attempts", "w1")

    assert (attempt["delivery"], attempt["result"], attempt["answer"]) == ("msg_1", "503", "[busy]")
    assert ops.run("attempts", "--instance", "my-mail") == [attempt]


def test_a_failed_test_is_listed_with_what_was_answered(ops: Ops) -> None:
    """It counts for no health, so it is in no other list."""
    result = {"status": "404", "at": NOW.isoformat(), "delivery": "msg_t", "answer": "no such app"}
    ops.put_webhook(test_result=result)

    (attempt,) = ops.run("attempts")
    facts = (attempt["type"], attempt["delivery"], attempt["result"], attempt["answer"], attempt["name"])
    assert facts == ("webhook.test", "msg_t", "404", "no such app", "my-mail")
    assert ops.run("webhooks", "list")[0]["last_test"] == f"404 at {NOW.isoformat()}"


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
    """At the end of its retry schedule, say; it goes once, not now and later again."""
    backlog = Backlog(ops.dynamodb, "backlog", side_by_side=1)
    backlog.park([(batch("a", "b"), NOW + timedelta(days=14))], now=NOW)

    ops.run("replay", "--binding", "b1", "--since", "1d")

    assert [sorted(one.id for one in decode(body).deliveries) for body in ops.queued()] == [["a", "b"]]
    assert [parked for partition in backlog.partitions("i1", WEBHOOK) for parked in backlog.read(partition)] == []


def test_a_dry_run_replays_nothing(ops: Ops) -> None:
    """It counts."""
    Archive(ops.dynamodb, "backlog").keep([batch("a")], now=NOW)

    assert ops.run("replay", "--binding", "b1", "--since", "1h", "--dry-run")["deliveries"] == 1
    assert ops.queued() == []


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--binding", "b1"), "--since or --id"),
        (("--binding", "b1", "--since", "yesterday"), "'yesterday' is not a time"),
        (("--binding", "b1", "--since", ""), "'' is not a time"),
        (("--binding", "b1", "--since", "0h"), "'0h' is not a time"),
        (("--binding", "b1", "--since", "9999999999d"), "is not a time"),
        (("--binding", "b1", "--since", "9999999d"), "deliveries are kept for 14 days"),
        (("--binding", "b1", "--since", "15d"), "too long ago"),
        (("--binding", "b1", "--since", "2222-01-01"), "in the future"),
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
    """One that is not on it gets an answer, too."""
    ses = boto3.client("sesv2", region_name="us-east-1")
    monkeypatch.setattr("ops.reputation.addresses.client", lambda _: ses)
    with Stubber(ses) as stub:
        stub.add_response("delete_suppressed_destination", {}, {"EmailAddress": "joe@x.example"})
        stub.add_client_error("delete_suppressed_destination", "NotFoundException")

        assert ops.run("suppression", "remove", "joe@x.example") == {"address": "joe@x.example", "removed": True}
        assert "not on the suppression list" in ops.run("suppression", "remove", "jane@x.example", ok=False)


def test_a_recipient_is_asked_to_confirm_again(ops: Ops) -> None:
    """The binding's digests."""
    deploy_broker(settings())
    sns = boto3.client("sns", region_name="us-east-1")
    arn = sns.create_topic(Name="ses-feedback-b1-notifications")["TopicArn"]

    told = ops.run("resubscribe", "b1")

    assert (told["topic"], told["email"]) == (arn, "ops@shop.example")
    (subscription,) = sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    assert subscription["Endpoint"] == "ops@shop.example"
    assert "nobody is not a binding" in ops.run("resubscribe", "nobody", ok=False)


def test_asking_again_counts_towards_the_address_s_limit(ops: Ops, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same counter as the broker's and the portal's."""
    deploy_broker(settings(confirmation_mails_per_day=1))
    sns = boto3.client("sns", region_name="us-east-1")
    sns.create_topic(Name="ses-feedback-b1-notifications")
    monkeypatch.setattr("lambdas.aws.sns.topics.Topics.confirmed", lambda *_: False)  # moto confirms at once
    ops.run("resubscribe", "b1")
    assert "possible again from" in ops.run("resubscribe", "b1", ok=False)
    broker = ConfirmationMails(ops.dynamodb, "broker", limit=1, clock=lambda: datetime.now(UTC))
    assert not broker.take("ops@shop.example")


def test_a_stack_that_is_not_there_is_told_in_a_line(ops: Ops) -> None:
    """With the region that was looked in."""
    assert "stack nope in us-east-1" in ops.run("webhooks", "list", "--stack", "nope", ok=False)


def test_a_new_secret_signs_beside_the_old_one(ops: Ops, monkeypatch: pytest.MonkeyPatch) -> None:
    """For 24 hours. Another rotation in that time is refused, --now excepted: that ends the old secret at once.

    One write does all of it: the webhook's bindings read the secret from there, so no crash leaves them behind.
    """
    kms = clients.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    stack = stack_of("ses-feedback", ops.queues)
    monkeypatch.setattr("ops.deployment.tools.find", lambda _: replace(stack, outputs={**stack.outputs, "KeyArn": key}))
    old = new_secret()
    ciphertext = encrypt(kms, key, WEBHOOK, WebhookSecret(secret=old, userinfo="joe:pw"))
    ops.put_webhook(ciphertext=ciphertext, bindings=["b1", "b2"])

    told = ops.run("webhooks", "rotate", "w1")
    assert "has no new secret" in ops.say("webhooks", "rotate", "w1", status=1)

    target = WebhookStates(ops.dynamodb, "webhooks").load([("i1", WEBHOOK)], now=NOW)["i1", WEBHOOK]
    new, previous = (decrypt(kms, WEBHOOK, one) for one in target.ciphertexts(now=NOW + timedelta(hours=23)))
    assert (told["replaced"], told["bindings"]) == (True, ["b1", "b2"])
    assert ops.run("webhooks", "show", "w1")["old_secret_signs_until"] == told["old_secret_signs_until"]
    assert previous.secret == old
    assert (new.secret == old, new.userinfo) == (False, "joe:pw")
    assert len(target.ciphertexts(now=NOW + timedelta(hours=25))) == 1

    told = ops.run("webhooks", "rotate", "w1", "--now")

    target = WebhookStates(ops.dynamodb, "webhooks").load([("i1", WEBHOOK)], now=NOW)["i1", WEBHOOK]
    (newest,) = (decrypt(kms, WEBHOOK, one) for one in target.ciphertexts(now=NOW))
    assert newest.secret not in (old, new.secret)
    assert (told["replaced"], told["old_secret_signs_until"]) == (True, None)
    assert ops.run("webhooks", "show", "w1")["old_secret_signs_until"] is None
