"""What happened to a mail, as an operator asks: by SES's id, by a webhook-id, by a recipient."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambdas.aws import clients
from lambdas.aws.dynamodb.backlog.archive import Archive
from lambdas.aws.dynamodb.backlog.backlog import Backlog
from lambdas.aws.dynamodb.reputation.ledger import Ledger
from lambdas.delivery import observability as delivery
from lambdas.domain.reputation.ledger import LedgerEntry, LedgerKind
from lambdas.domain.webhooks.delivery import DeliveryBatch
from lambdas.feedback import observability as feedback
from ops.troubleshooting.trail import ATTEMPT_FACTS, EVENT_FACTS, is_about, kind_of, sent_at, window
from ops.troubleshooting.trail import Kind as Asked
from tests.ops.world import NOW, Ops, batch, stack_of

DELIVERED = f"0100{int(NOW.timestamp() * 1000) - 60_000:012x}-11111111-2222-3333-4444-555555555555-000000"
BOUNCED = f"0100{int(NOW.timestamp() * 1000) - 50_000:012x}-aaaaaaaa-2222-3333-4444-555555555555-000000"


def about(id_: str, message_id: str, recipient: str) -> DeliveryBatch:
    """A delivery of a mail's event."""
    one = batch(id_)
    body = json.dumps({"data": {"message_id": message_id, "recipients": [{"email": recipient}]}})
    return replace(one, deliveries=(replace(one.deliveries[0], message_id=message_id, body=body),))


@pytest.fixture
def traced(ops: Ops, monkeypatch: pytest.MonkeyPatch) -> Ops:
    """A delivered mail to joe and one to jane that bounced and whose webhook waits; with the logs of both."""
    Archive(ops.dynamodb, "backlog").keep([about("msg_joe", DELIVERED, "joe@x.example")], now=NOW)
    Backlog(ops.dynamodb, "backlog").park(
        [(about("msg_jane", BOUNCED, "Jane@x.example"), NOW + timedelta(minutes=30))], now=NOW
    )
    entry = LedgerEntry(
        key=f"{BOUNCED}#1",
        kind=LedgerKind.BOUNCE,
        bucket="2026-11-21T04",
        timestamp=NOW - timedelta(seconds=30),
        counted=1,
        message_id=BOUNCED,
        reason="General",
        recipients=("jane@x.example",),
        sent_at=None,
    )
    Ledger(ops.dynamodb, "reputation").add("i1", [entry])
    stack = stack_of("ses-feedback", ops.queues)
    tables, functions = {**stack.tables, "reputation": "reputation"}, {"feedback": "f", "delivery": "d"}
    monkeypatch.setattr("ops.deployment.tools.find", lambda _: replace(stack, tables=tables, functions=functions))
    monkeypatch.setattr(
        "ops.troubleshooting.function_logs.FunctionLogs._group", property(lambda logs: f"/{logs.function}")
    )
    for function, lines in LOGGED.items():
        log(function, lines)
    return ops


IDS = {"instance_id": "i1", "webhook_id": "w1", "type": "email.delivered"}
LOGGED: dict[str, list[dict[str, Any]]] = {
    "feedback": [
        {"message": "event recorded", "instance_id": "i1", "message_id": mail, "delivery_ids": [id_], "type": kind}
        for mail, id_, kind in ((DELIVERED, "msg_joe", "delivery"), (BOUNCED, "msg_jane", "bounce"))
    ],
    "delivery": [
        {"message": "attempt failed", "message_id": DELIVERED, "delivery_id": "msg_joe", "attempt": 1, **IDS}
        | {"status": "503", "ms": 12},
        {"message": "attempt succeeded", "message_id": DELIVERED, "delivery_id": "msg_joe", "attempt": 2, **IDS}
        | {"status": "200", "ms": 9},
        {"message": "attempt failed", "message_id": BOUNCED, "delivery_id": "msg_jane", "attempt": 1, **IDS}
        | {"status": "timeout", "ms": 15000},
    ],
}


TOGETHER: dict[str, list[dict[str, Any]]] = {
    "feedback": [
        {
            "message": "events recorded",
            "instances": [
                ["i0", [["mail-0", "delivery", ["msg_0"]]]],
                ["i1", [["mail-1", "delivery", ["msg_1", "msg_other"]], ["mail-2", "bounce", ["msg_2", "msg_3"]]]],
            ],
        }
    ],
    "delivery": [
        {
            "message": "attempts succeeded",
            "webhooks": [
                ["i0", "w0", [["msg_0", 1, "200", 5]]],
                ["i1", "w1", [["msg_1", 1, "204", 9], ["msg_2", 3, "200", 12]]],
                ["i1", "w2", [["msg_3", 1, "202", 8]]],
            ],
        }
    ],
}


def log(function: str, lines: list[dict[str, Any]], *, stream: str = "s") -> None:
    """Write a function's log, a line a second, up to now."""
    logs, group = clients.client("logs"), f"/{function}"
    if stream == "s":
        logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    begin = int(NOW.timestamp() * 1000) - 10_000
    events: Any = [{"timestamp": begin + 1000 * n, "message": json.dumps(line)} for n, line in enumerate(lines)]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def whats(ops: Ops, *words: str) -> list[str]:
    """What happened, in order."""
    return [step["what"] for step in ops.run("trace", *words)["steps"]]


def test_a_delivered_mail_is_followed_from_its_event_to_the_webhook_that_got_it(traced: Ops) -> None:
    """By SES's message id: no table has it, the logs and the archive do."""
    found = traced.run("trace", DELIVERED)

    steps = [(step["what"], step["webhook_id"], step["source"]) for step in found["steps"]]
    assert sorted(steps) == [
        ("attempt 1 failed", "msg_joe", "log of delivery"),
        ("attempt 2 succeeded", "msg_joe", "log of delivery"),
        ("delivered, can be replayed", "msg_joe", "archive"),
        ("event recorded", "", "log of feedback"),
    ]
    (recorded,) = [step for step in found["steps"] if step["what"] == "event recorded"]
    assert recorded["details"] == "webhook-id msg_joe"
    assert [one["name"] for one in found["instances"]] == ["my-mail"]
    assert datetime.fromisoformat(found["since"]) > NOW - timedelta(minutes=10)


def test_a_bounced_mail_shows_that_it_counted_and_that_its_webhook_waits(traced: Ops) -> None:
    """By the recipient, in any case; and joe's mail is not in it."""
    for words in (("jane@X.example",), ("jane@x.example", "--instance", "mail.agency.gov"), (BOUNCED,)):
        assert sorted(whats(traced, *words)) == [
            "attempt 1 failed",
            "bounce counted",
            "event recorded",
            "waits for attempt 3",
        ]


def test_a_webhook_id_leads_back_to_the_mail(traced: Ops) -> None:
    """What a tenant has in hand is the webhook-id of a request."""
    found = traced.run("trace", "msg_joe")
    assert {step["message_id"] for step in found["steps"]} == {DELIVERED}
    assert "event recorded" in [step["what"] for step in found["steps"]]


def test_an_event_is_followed_into_the_batch_that_carried_it(traced: Ops) -> None:
    """One log line for all events of a request: found by each event's id, each mail's, and the batch's."""
    others = [f"msg_{number}" for number in range(11)]
    line = {**IDS, "message": "attempt succeeded", "type": "batch", "attempt": 1, "status": "204", "ms": 7}
    batch_line = {**line, "message_id": None, "delivery_id": "msg_batch", "deliveries": ["msg_joe", *others]}
    log("delivery", [{**batch_line, "message_ids": [DELIVERED]}], stream="batches")

    for asked in (DELIVERED, "msg_joe", "msg_batch"):
        steps = traced.run("trace", asked)["steps"]
        (carried,) = [step for step in steps if step["type"] == "batch"]
        assert carried["webhook_id"] == "msg_batch"
        assert carried["details"] == f"204, 7 ms, a batch of 12: msg_joe, {', '.join(others[:9])} and 2 more"


def test_people_read_a_row_a_step_with_the_instances_name(traced: Ops) -> None:
    """And whole ids, in a pipe."""
    said = traced.say("trace", DELIVERED)
    assert said.startswith("Instance i1 (agency/prod/my-mail, mail.agency.gov)\n")
    assert sum(DELIVERED in line and "msg_joe" in line for line in said.splitlines()) == 4


def test_without_logs_the_tables_still_know(traced: Ops, monkeypatch: pytest.MonkeyPatch) -> None:
    """When their retention is over, say."""
    monkeypatch.setattr("ops.troubleshooting.function_logs.FunctionLogs.lines", lambda *_, **__: iter(()))
    assert whats(traced, DELIVERED) == ["delivered, can be replayed"]
    assert sorted(whats(traced, "jane@x.example")) == ["bounce counted", "waits for attempt 3"]


def test_a_mail_of_which_nothing_is_known_ends_with_1(traced: Ops) -> None:
    """And says since when it was looked for."""
    said = traced.say("trace", "nobody@x.example", status=1)
    assert "nothing is known of the recipient nobody@x.example since" in said
    assert "too long ago" in traced.say("trace", DELIVERED, "--since", "91d", status=1)


def test_what_is_asked_for_is_told_by_its_form() -> None:
    """An address, a webhook-id, else an id of SES's."""
    assert [kind_of(text) for text in ("a@b.example", "msg_1", DELIVERED)] == [
        Asked.RECIPIENT,
        Asked.WEBHOOK_ID,
        Asked.MESSAGE_ID,
    ]


def test_the_time_in_sess_ids_bounds_the_search_only_if_it_is_plausible() -> None:
    """It is not documented: an id that names no time is looked for all the time."""
    now = datetime(2026, 11, 21, tzinfo=UTC)
    assert sent_at("010001712e3c4b5a-1", now=now) is None  # 2020: no log is so old
    assert sent_at("0102ffffffffffff-1", now=now) is None
    assert sent_at("m-1", now=now) is None
    found = sent_at(f"0102{int((now - timedelta(days=1)).timestamp() * 1000):012x}-x", now=now)
    assert found == now - timedelta(days=1)
    assert window("m-1", since=NOW, until=NOW) == (NOW, NOW)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("joe@x.example", True),
        ("JOE@X.example", True),
        ("oe@x.example", False),
        ("joe@x.exampl", False),
        ("joe@x", False),
    ],
)
def test_an_address_is_found_whole(text: str, whole: bool) -> None:
    """Not within another one, and in every format's body, escaped or not."""
    (one,) = about("msg_joe", DELIVERED, "joe@x.example").deliveries
    for body in (one.body, json.dumps({"Message": one.body}), "Bounce: joe@x.example."):
        assert is_about(replace(one, body=body), text, Asked.RECIPIENT) is whole


@pytest.mark.parametrize("asked", ["mail-2", "msg_2"])
def test_of_a_line_about_many_events_only_the_one_that_was_asked_for_is_shown(traced: Ops, asked: str) -> None:
    """Feedback and delivery write one line for many instances' events, so that logs cost less."""
    for function, lines in TOGETHER.items():
        log(function, lines, stream="together")
    steps = [step for step in traced.run("trace", asked)["steps"] if step["webhook_id"] != "msg_3"]
    shown = [(step["what"], step["type"], step["message_id"]) for step in steps]
    assert shown == [
        ("attempt 3 succeeded", "email.bounced", "mail-2"),
        ("event recorded", "bounce", "mail-2"),
    ]
    assert steps[0]["details"] == "200, 12 ms"
    assert steps[1]["details"].startswith("webhook-id msg_2")
    assert (steps[0]["webhook_id"], steps[0]["webhook"], steps[0]["instance"]) == ("msg_2", "w1", "i1")


def test_a_mail_leads_to_the_attempts_of_all_its_deliveries_and_a_webhook_id_to_its_own(traced: Ops) -> None:
    """The attempts' lines have no message id: feedback's line says which deliveries were made of a mail."""
    for function, lines in TOGETHER.items():
        log(function, lines, stream="together")

    def attempts(asked: str) -> list[tuple[str, str]]:
        steps = traced.run("trace", asked)["steps"]
        return sorted((step["webhook"], step["details"]) for step in steps if "attempt" in step["what"])

    assert attempts("mail-2") == [("w1", "200, 12 ms"), ("w2", "202, 8 ms")]
    assert attempts("msg_3") == [("w2", "202, 8 ms")]


def test_the_trail_reads_what_the_functions_write() -> None:
    """The lists have no names of their own."""
    assert (feedback.EVENT_FACTS, delivery.ATTEMPT_FACTS) == (EVENT_FACTS, ATTEMPT_FACTS)
