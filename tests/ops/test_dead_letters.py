"""Dead letters, as an operator finds them and sends them back."""

import json

import pytest

from lambdas.aws.sqs.delivery_queue import encode
from ops.troubleshooting import dead_letters
from tests.events import bounce, text
from tests.ops.world import Ops, batch

STREAM = {
    "requestContext": {"condition": "RetryAttemptsExhausted"},
    "DDBStreamBatchInfo": {"batchSize": 3, "approximateArrivalOfFirstRecord": "2026-11-21T04:00:00Z"},
}


def contents(ops: Ops, queue: str) -> list[tuple[str, str, str]]:
    """What a queue's messages are, as `dlq list` says."""
    (row,) = ops.run("dlq", "list", queue)
    return [(one["about"], one["instance"], one["details"]) for one in row["contents"]]


def put(ops: Ops, queue: str, *bodies: str) -> None:
    """Put dead letters into a queue."""
    for body in bodies:
        ops.sqs.send_message(QueueUrl=ops.queues[queue], MessageBody=body)


def test_a_dead_letter_is_shown_as_what_it_is(ops: Ops) -> None:
    """Whose, which mail, which webhook, which operation; never an address."""
    put(ops, "events_dlq", text(bounce(instance="i1", message_id="m-1")))
    put(ops, "subscription_dlq", "not JSON")
    put(ops, "deliveries_dlq", encode(batch("msg_1", "msg_2")))
    put(ops, "operations_dlq", json.dumps({"instance_id": "i1", "operation_id": "o9"}))
    put(ops, "reputation_dlq", json.dumps(STREAM))

    assert contents(ops, "events_dlq") == [("bounce event", "i1", "mail m-1")]
    assert contents(ops, "subscription_dlq") == [("no event", "", "not json")]
    assert contents(ops, "deliveries_dlq") == [
        ("2 deliveries (email.bounced), attempt 3", "i1", "webhook w1: msg_1, msg_2")
    ]
    assert contents(ops, "operations_dlq") == [("broker operation", "i1", "operation o9")]
    put(ops, "replays_dlq", json.dumps({"instance_id": "i1", "replay_id": "r1"}))
    assert contents(ops, "replays_dlq") == [("replay", "i1", "replay_id r1")]
    said = ops.say("dlq", "list")
    assert "3 changes of counters" in said
    assert "@" not in said


def test_looking_at_dead_letters_leaves_them_where_they_are(ops: Ops) -> None:
    """They can be listed again at once, and sent back."""
    put(ops, "deliveries_dlq", *(encode(batch(f"msg_{number}")) for number in range(3)))
    for _ in range(2):
        assert len(contents(ops, "deliveries_dlq")) == 3
    assert ops.run("dlq", "redrive", "deliveries_dlq")["moved"] == 3


def test_a_body_that_nobody_can_read_is_listed_too(ops: Ops) -> None:
    """Whatever queue it is in."""
    for queue in ("deliveries_dlq", "operations_dlq", "replays_dlq", "reputation_dlq"):
        put(ops, queue, "[]")
        ((about, _, _),) = contents(ops, queue)
        assert about == "unreadable"


def test_failed_changes_of_counters_have_every_instance_evaluated_again(
    ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then they are deleted; while an instance fails they are kept, and the instance is named."""
    ops.put_instance("i2", name="other", domain="other.agency.gov")
    put(ops, "reputation_dlq", json.dumps(STREAM))
    asked: list[str] = []

    def evaluate(_: object, instance_ids: list[str]) -> list[str]:
        asked.extend(instance_ids)
        return ["i2"] if len(asked) < 3 else []

    monkeypatch.setattr(dead_letters, "reevaluate", evaluate)
    monkeypatch.setattr(dead_letters, "_VISIBILITY", 0)

    assert "could not be evaluated: i2" in ops.say("dlq", "redrive", "reputation_dlq", status=1)
    assert ops.run("dlq", "redrive", "reputation_dlq")["moved"] == 1
    assert sorted(asked) == ["i1", "i1", "i2", "i2"]
    assert contents(ops, "reputation_dlq") == []
