"""The backlog table: parked deliveries, the archive, and searches in both."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

from lambdas.aws.dynamodb.attribute_values import new_item, to_item
from lambdas.aws.dynamodb.backlog import archive as archive_module
from lambdas.aws.dynamodb.backlog.archive import Archive
from lambdas.aws.dynamodb.backlog.backlog import Backlog
from lambdas.aws.dynamodb.backlog.compressed_batch import compress
from lambdas.aws.dynamodb.backlog.kept_deliveries import KeptDeliveries
from lambdas.domain.webhooks.backlog import Parked, Partition
from lambdas.domain.webhooks.delivery import Delivery, DeliveryBatch
from lambdas.domain.webhooks.webhook import NotificationFormat, WebhookId
from tests.aws.transcript import Refused, Transcript

NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
DUE = NOW + timedelta(minutes=5)
W1 = WebhookId("w1")
DELIVERY = Delivery(
    id="msg_1",
    type="email.bounced",
    timestamp=NOW - timedelta(minutes=3),
    created_at=NOW - timedelta(minutes=2),
    format=NotificationFormat.SNS,
    body="{}",
    headers={},
)
OTHER = replace(DELIVERY, id="msg_2")
BATCH = DeliveryBatch(instance_id="i1", webhook_id=W1, attempt=2, deliveries=(DELIVERY, OTHER))
ALONE = replace(BATCH, deliveries=(OTHER,))
PARTITION = Partition(instance_id="i1", webhook_id=W1, shard=3, seq="s1", waiting=5)
PARKED = Parked(
    partition=PARTITION,
    sk="parked#2026-11-21T04:05:00.000000Z#ab",
    token="t1",
    due=DUE,
    parked_at=NOW,
    count=2,
    batch=BATCH,
)
PK = "i1#w1#3"
CONDITION = Refused("ConditionalCheckFailedException")
CONFLICT = Refused("TransactionCanceledException", reasons=("None", "TransactionConflict"))
LATER_MARK = Refused("TransactionCanceledException", reasons=("None", "ConditionalCheckFailed"))
ELSEWISE = Refused("TransactionCanceledException", reasons=("TransactionConflict", "ValidationError"))
MARK = to_item(
    {"pk": PK, "sk": "mark", "shard": "3", "due_at": "2026-11-21T04:05:00.000000Z", "seq": "s1", "waiting": 5}
)
BARE_MARK = to_item({"pk": "i1#w2#0", "sk": "mark", "due_at": "2026-11-21T04:06:00.000000Z", "waiting": -1})


def item(sk: str, **values: Any) -> Any:
    """An item of the partition with the batch."""
    return new_item({"pk": PK, "sk": sk, "payload": compress(BATCH), "count": 2, "expires_at": 1, **values})


def backlog(transcript: Transcript) -> None:
    """Parking, releasing, quarantine."""

    def table() -> Backlog:
        return Backlog(transcript.dynamodb, "backlog", sleep=transcript.sleep, side_by_side=1)

    def park() -> None:
        table().park([(BATCH, DUE)], now=NOW)

    transcript.call("parks behind something that is due earlier", park)
    transcript.call(
        "parks as the first that is due",
        park,
        TransactWriteItems=[LATER_MARK, {}],
    )
    transcript.call(
        "parks after others had the mark, with longer waits",
        park,
        TransactWriteItems=[LATER_MARK, CONFLICT, LATER_MARK, CONFLICT, {}],
    )
    transcript.call(
        "gives up where others always have the mark",
        park,
        TransactWriteItems=CONFLICT,
    )
    transcript.call(
        "raises what else cancels a transaction",
        park,
        TransactWriteItems=ELSEWISE,
    )
    transcript.call(
        "raises a cancellation without a reason",
        park,
        TransactWriteItems=Refused("TransactionCanceledException"),
    )
    transcript.call(
        "finds what is due in each shard, page by page",
        lambda: table().due(now=NOW),
        Query=[{"Items": [MARK], "LastEvaluatedKey": {"pk": {"S": PK}}}, {"Items": [BARE_MARK]}, {"Items": []}],
    )
    transcript.call("finds every mark", lambda: table().marked(), Query=[{"Items": [MARK, BARE_MARK]}, {"Items": []}])
    left = {"backlog": {"Keys": [{"pk": {"S": PK}, "sk": {"S": "mark"}}], "ConsistentRead": True}}
    transcript.call(
        "reads a webhook's partitions, and again those that were left unread",
        lambda: table().partitions("i1", W1),
        BatchGetItem=[
            {"Responses": {"backlog": [BARE_MARK]}, "UnprocessedKeys": left},
            {"Responses": {"backlog": [MARK]}},
        ],
    )
    transcript.call(
        "adds up what waits", lambda: table().waiting("i1", W1), BatchGetItem={"Responses": {"backlog": [MARK, MARK]}}
    )
    whole = item("parked#2026-11-21T04:05:00.000000Z#ab", token="t1", parked_at="2026-11-21T04:00:00.000000Z")
    bare = to_item({"pk": PK, "sk": "parked#2026-11-21T04:06:00.000000Z#cd", "payload": b"?"})
    without = to_item({"pk": PK, "sk": "parked#2026-11-21T04:06:00.000000Z#ef"})
    transcript.call(
        "reads a partition, readable or not", lambda: table().read(PARTITION), Query={"Items": [whole, bare, without]}
    )
    transcript.call(
        "reads what is due, after a key, a few at a time",
        lambda: table().read(PARTITION, until=NOW, after="parked#a", limit=2),
        Query={"Items": [whole, bare, whole], "LastEvaluatedKey": {"pk": {"S": PK}}},
    )
    transcript.call("removes items", lambda: table().remove([PARKED, PARKED]))
    transcript.call("keeps what was parked again", lambda: table().remove([PARKED]), DeleteItem=CONDITION)
    transcript.call("counts nothing where the mark is gone", lambda: table().remove([PARKED]), UpdateItem=CONDITION)
    transcript.call("quarantines an item", lambda: table().quarantine(PARKED), GetItem={"Item": whole})
    transcript.call("quarantines nothing that is gone", lambda: table().quarantine(PARKED))
    transcript.call("clears a mark", lambda: table().rest(PARTITION, until=None))
    transcript.call("moves a mark", lambda: table().rest(PARTITION, until=DUE))
    transcript.call("leaves a mark that is new", lambda: table().rest(PARTITION, until=None), DeleteItem=CONDITION)
    transcript.call("moves no mark that is new", lambda: table().rest(PARTITION, until=DUE), UpdateItem=CONDITION)
    marks = {"Responses": {"backlog": [MARK, BARE_MARK]}}
    transcript.call("wakes a webhook", lambda: table().wake("i1", W1, now=NOW), BatchGetItem=marks)
    transcript.call(
        "wakes what is left of a webhook",
        lambda: table().wake("i1", W1, now=NOW),
        BatchGetItem=marks,
        UpdateItem=CONDITION,
    )


def archive(transcript: Transcript) -> None:
    """Keeping delivered batches, and reading them for a replay."""

    def table() -> Archive:
        return Archive(transcript.dynamodb, "backlog", sleep=transcript.sleep)

    sent = item("sent#2026-11-21T04:05:00.000000Z#ab")
    later = item("sent#2026-11-21T04:06:00.000000Z#cd")
    unreadable = item("sent#2026-11-21T04:07:00.000000Z#ef", payload=b"?")
    until = DUE + timedelta(hours=1)

    def keep() -> int:
        return table().keep([BATCH], now=NOW)

    transcript.call("keeps a batch", keep)
    left = {"UnprocessedItems": {"backlog": [{"PutRequest": {"Item": to_item({"pk": PK, "sk": "sent#"})}}]}}
    transcript.call("writes again what was left unwritten", keep, BatchWriteItem=[left, left, {}])
    transcript.call(
        "says how many it could not keep", lambda: table().keep([BATCH, ALONE], now=NOW), BatchWriteItem=left
    )
    with patch.object(archive_module, "_PAGE", 2):
        transcript.call(
            "says how many of the second page it could not keep",
            lambda: table().keep([BATCH, BATCH, ALONE], now=NOW),
            BatchWriteItem=[{}, left],
        )
    transcript.call(
        "goes on after a throttled write",
        keep,
        BatchWriteItem=[Refused("Throttling"), {}],
    )
    transcript.call(
        "reads what was delivered since, in each partition",
        lambda: table().since("i1", W1, NOW),
        Query=[{"Items": [sent], "LastEvaluatedKey": {"pk": {"S": PK}}}, {"Items": [unreadable, later]}, {"Items": []}],
    )
    transcript.call(
        "reads a partition between two times",
        lambda: table().between("i1", W1, 3, since=NOW, until=until),
        Query={"Items": [sent, unreadable, later]},
    )

    def step(after: str) -> object:
        return table().step("i1", W1, 3, since=NOW, until=until, after=after, limit=2)

    transcript.call("reads a first step", lambda: step(""), Query={"Items": [sent, unreadable, later]})
    transcript.call("reads a last step", lambda: step("sent#2026-11-21T04:05:00.000000Z#ab"), Query={"Items": [later]})


def kept_deliveries(transcript: Transcript) -> None:
    """Searches for a mail, of one webhook and of all."""
    items = [
        item("parked#2026-11-21T04:05:00.000000Z#ab", token="t1"),
        item("sent#2026-11-21T04:06:00.000000Z#cd"),
        item("sent#2026-11-21T04:06:00.000000Z#cd", payload=b"?"),
    ]
    answers = [{"Items": items, "LastEvaluatedKey": {"pk": {"S": PK}}}, {"Items": items[:1]}, {"Items": []}]

    def table() -> KeptDeliveries:
        return KeptDeliveries(transcript.dynamodb, "backlog")

    transcript.call("reads a webhook's partitions", lambda: table().of_webhook("i1", W1, since=NOW), Query=answers)
    transcript.call("reads the table in segments", lambda: list(table().everywhere(since=NOW)), unordered=True)
    transcript.call("finds both kinds", lambda: list(table()._scan(0, NOW)), Scan=answers)


WALKS = (backlog, archive, kept_deliveries)
