"""The backlog table: parking, finding what is due, taking it out, and what others do in between."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from lambdas.aws.dynamodb.attribute_values import from_item, to_item
from lambdas.aws.dynamodb.backlog.backlog import MARK, SHARDS, Backlog, BacklogContended
from lambdas.aws.dynamodb.backlog.compressed_batch import Unreadable, compress, decompress
from lambdas.domain.webhooks.backlog import Partition
from lambdas.domain.webhooks.delivery import Delivery, DeliveryBatch
from lambdas.domain.webhooks.webhook import NotificationFormat, WebhookId
from tests.aws.refusing import THROTTLED, refusing
from tests.aws.tables import create_backlog, dynamodb_with

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
WEBHOOK = WebhookId("w1")
HOUR = timedelta(hours=1)


@pytest.fixture
def dynamodb() -> Iterator["DynamoDBClient"]:
    """A DynamoDB with a backlog table."""
    with dynamodb_with() as client:
        create_backlog(client, "backlog")
        yield client


@pytest.fixture
def backlog(dynamodb: "DynamoDBClient") -> Backlog:
    """The adapter, which does not wait between tries; moto is not made for several threads."""
    return Backlog(dynamodb, "backlog", sleep=lambda _: None, side_by_side=1)


def batch(*ids: str, attempt: int = 1, body: str = "{}", webhook: WebhookId = WEBHOOK) -> DeliveryBatch:
    """A batch of deliveries."""
    return DeliveryBatch(
        instance_id="i1",
        webhook_id=webhook,
        attempt=attempt,
        deliveries=tuple(
            Delivery(
                id=id_,
                type="email.bounced",
                timestamp=NOW,
                created_at=NOW,
                format=NotificationFormat.SNS,
                body=body,
                headers={"x-amz-sns-message-id": id_},
            )
            for id_ in ids or ("msg_1",)
        ),
    )


def lane_of(backlog: Backlog) -> Partition:
    """The one partition that has a mark."""
    (partition,) = backlog.partitions("i1", WEBHOOK)
    return partition


def test_what_is_parked_comes_back_whole_when_it_is_due(backlog: Backlog) -> None:
    """To the byte, with the attempt's number."""
    backlog.park([(batch("a", "b", attempt=4, body='{"ü": "\\n"}'), NOW + HOUR)], now=NOW)

    assert list(backlog.due(now=NOW)) == []
    (partition,) = backlog.due(now=NOW + HOUR)
    (parked,) = backlog.read(partition, until=NOW + HOUR)
    assert parked.batch == batch("a", "b", attempt=4, body='{"ü": "\\n"}')
    assert (parked.due, parked.parked_at, parked.count, partition.waiting) == (NOW + HOUR, NOW, 2, 2)


def test_a_partition_is_due_with_its_first_item_in_whatever_order_they_are_parked(backlog: Backlog) -> None:
    """A later one must not put the mark off, an earlier one must bring it forward."""
    same_lane = [batch("a", attempt=attempt) for attempt in range(1, 200)]
    first, second, third = [one for one in same_lane if _shard(backlog, one) == "0"][:3]
    backlog.park([(first, NOW + 2 * HOUR)], now=NOW)
    backlog.park([(second, NOW + 3 * HOUR)], now=NOW)
    assert list(backlog.due(now=NOW + HOUR)) == []

    backlog.park([(third, NOW + HOUR)], now=NOW)

    (partition,) = backlog.due(now=NOW + HOUR)
    assert [one.due for one in backlog.read(partition)] == [NOW + HOUR, NOW + 2 * HOUR, NOW + 3 * HOUR]


def _shard(_: Backlog, one: DeliveryBatch) -> str:
    from lambdas.aws.dynamodb.backlog.backlog import _name

    return str(int(_name(one)[:8], 16) % SHARDS)


def test_parking_twice_is_parking_once(backlog: Backlog, dynamodb: "DynamoDBClient") -> None:
    """The process died before it could acknowledge; the message came again."""
    for _ in range(2):
        backlog.park([(batch("a"), NOW)], now=NOW)

    assert len(backlog.read(lane_of(backlog))) == 1


def test_what_is_parked_behind_something_costs_one_transaction(backlog: Backlog, dynamodb: "DynamoDBClient") -> None:
    """A dead receiver's deliveries are parked one after the other: a cancelled transaction would cost writes, too."""
    shard = [one for number in range(40) if _shard(backlog, one := batch(f"m{number}")) == "0"]
    transactions: list[object] = []
    dynamodb.meta.events.register("before-call.dynamodb.TransactWriteItems", lambda **_: transactions.append(1))

    for one in shard:
        backlog.park([(one, NOW)], now=NOW)

    assert len(shard) > 2
    assert len(transactions) == 1 + len(shard)  # the first finds no mark


def test_a_flood_spreads_over_all_partitions(backlog: Backlog) -> None:
    """One partition takes 1,000 write units a second; a dead receiver's flood must not wait for it."""
    backlog.park([(batch(f"m{number}"), NOW) for number in range(80)], now=NOW)

    assert len(backlog.partitions("i1", WEBHOOK)) == SHARDS
    assert backlog.waiting("i1", WEBHOOK) == 80


def test_a_partition_to_which_something_was_parked_meanwhile_does_not_rest(backlog: Backlog) -> None:
    """The view was a moment old: the mark stays."""
    backlog.park([(batch("a"), NOW)], now=NOW)
    partition = lane_of(backlog)
    backlog.park([(batch("a"), NOW)], now=NOW)

    assert not backlog.rest(partition, until=None)
    assert not backlog.rest(partition, until=NOW + HOUR)
    assert list(backlog.due(now=NOW))


def test_a_partition_that_was_woken_meanwhile_does_not_rest(backlog: Backlog) -> None:
    """An operator enabled the webhook while release, which still saw it disabled, looked at its partition."""
    backlog.park([(batch("a"), NOW)], now=NOW)
    partition = lane_of(backlog)
    backlog.wake("i1", WEBHOOK, now=NOW)

    assert not backlog.rest(partition, until=NOW + 24 * HOUR)


def test_an_item_parked_again_while_it_is_released_stays(backlog: Backlog) -> None:
    """The probe it became failed, quicker than release could take it out."""
    backlog.park([(batch("a"), NOW)], now=NOW)
    (released,) = backlog.read(lane_of(backlog))
    backlog.park([(batch("a"), NOW)], now=NOW)

    backlog.remove([released])

    assert len(backlog.read(lane_of(backlog))) == 1


def test_a_resting_partition_is_marked_again_by_the_next_park(backlog: Backlog) -> None:
    """With nothing left, its mark is gone."""
    backlog.park([(batch("a"), NOW)], now=NOW)
    partition = lane_of(backlog)
    backlog.remove(backlog.read(partition))
    assert backlog.rest(partition, until=None)
    assert backlog.waiting("i1", WEBHOOK) == 0

    backlog.park([(batch("a"), NOW + HOUR)], now=NOW)

    assert list(backlog.due(now=NOW)) == []
    assert len(list(backlog.due(now=NOW + HOUR))) == 1


def test_a_partition_is_read_in_pages(backlog: Backlog) -> None:
    """By what was read last."""
    items = [one for number in range(1, 300) if _shard(backlog, one := batch("a", attempt=number)) == "0"]
    backlog.park([(one, NOW + timedelta(seconds=number)) for number, one in enumerate(items)], now=NOW)
    partition = lane_of(backlog)

    first = backlog.read(partition, limit=5)
    second = backlog.read(partition, after=first[-1].sk, limit=5)

    assert [one.due for one in first + second] == [NOW + timedelta(seconds=number) for number in range(10)]


def test_what_is_too_large_for_an_item_is_parked_in_pieces(backlog: Backlog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each piece keeps the attempt's number, and a single delivery is never cut."""
    monkeypatch.setattr("lambdas.aws.dynamodb.backlog.backlog._MAX_PAYLOAD", 200)

    backlog.park([(batch(*"abcdefgh", attempt=2), NOW)], now=NOW)

    parked = [item for partition in backlog.partitions("i1", WEBHOOK) for item in backlog.read(partition)]
    assert len(parked) > 1
    assert {item.batch.attempt for item in parked if item.batch} == {2}
    assert sorted(each.id for item in parked if item.batch for each in item.batch.deliveries) == list("abcdefgh")


def test_what_cannot_be_read_is_moved_aside_as_it_is(backlog: Backlog, dynamodb: "DynamoDBClient") -> None:
    """Its neighbours are read, and it is kept for someone to look at."""
    backlog.park([(batch("a"), NOW)], now=NOW)
    partition = lane_of(backlog)
    (parked,) = backlog.read(partition)
    key = to_item({"pk": partition.pk, "sk": parked.sk})
    broken = {**dynamodb.get_item(TableName="backlog", Key=key)["Item"], **to_item({"payload": b"rubbish"})}
    dynamodb.put_item(TableName="backlog", Item=broken)

    (unreadable,) = backlog.read(partition)
    assert unreadable.batch is None
    backlog.quarantine(unreadable)

    assert backlog.read(partition) == []
    items = [from_item(item) for item in dynamodb.scan(TableName="backlog")["Items"]]
    (aside,) = [item for item in items if item["sk"].startswith("quarantined#")]
    assert aside["payload"] == b"rubbish"


def test_a_parked_item_expires_by_itself_a_day_after_release_should_have_counted_it(
    backlog: Backlog, dynamodb: "DynamoDBClient"
) -> None:
    """Fifteen days from fan-out; a mark never expires."""
    backlog.park([(batch("a"), NOW)], now=NOW)

    items = [from_item(item) for item in dynamodb.scan(TableName="backlog")["Items"]]
    expiries = {item["sk"] == MARK: item.get("expires_at") for item in items}
    assert expiries == {True: None, False: int((NOW + timedelta(days=15)).timestamp())}


def test_a_partition_that_others_change_all_the_time_gives_up_so_that_the_message_comes_back(
    dynamodb: "DynamoDBClient",
) -> None:
    """Bounded tries, with a wait between them."""
    waits: list[float] = []
    backlog = Backlog(dynamodb, "backlog", sleep=waits.append)
    backlog._write = lambda parts: False  # type: ignore[method-assign]

    with pytest.raises(BacklogContended):
        backlog.park([(batch("a"), NOW)], now=NOW)
    assert len(waits) == 8
    assert sum(waits) < 12


def test_a_fault_of_dynamodb_is_told(backlog: Backlog, dynamodb: "DynamoDBClient") -> None:
    """Not taken for contention."""
    dynamodb.delete_table(TableName="backlog")

    with pytest.raises(dynamodb.exceptions.ClientError):
        backlog.park([(batch("a"), NOW)], now=NOW)


@pytest.mark.parametrize(
    "payload", [b"", b"rubbish", compress(batch())[:-5], compress(replace(batch(), deliveries=()))]
)
def test_what_is_no_batch_is_unreadable(payload: bytes) -> None:
    """Cut short, empty, or never one."""
    with pytest.raises(Unreadable):
        decompress(payload)


def test_a_payload_does_not_unpack_without_end() -> None:
    """A few kilobytes of zeros can be made to fill any memory."""
    import zlib

    with pytest.raises(Unreadable):
        decompress(zlib.compress(b" " * 100_000_000))


def patient(client: "DynamoDBClient", waits: list[float] | None = None) -> Backlog:
    """A backlog on *client* that notes its waits."""
    return Backlog(client, "backlog", sleep=(waits if waits is not None else []).append, side_by_side=1)


@pytest.mark.parametrize("reasons", [["TransactionConflict", "None"], ["None", "ConditionalCheckFailed"]])
def test_contention_is_tried_again(reasons: list[str]) -> None:
    """Another park or a release changed the partition's mark at the same moment."""
    waits: list[float] = []
    with pytest.raises(BacklogContended):
        patient(refusing("TransactionCanceledException", reasons=reasons), waits).park([(batch("a"), NOW)], now=NOW)
    assert len(waits) == 8


@pytest.mark.parametrize(
    "reasons",
    [["None", "ItemCollectionSizeLimitExceeded"], ["TransactionConflict", "ThrottlingError"], ["None", "None"], []],
)
def test_a_transaction_cancelled_for_another_reason_is_told(reasons: list[str]) -> None:
    """To try again at once would not help, and would hide what is wrong."""
    waits: list[float] = []
    client = refusing("TransactionCanceledException", reasons=reasons)
    with pytest.raises(client.exceptions.TransactionCanceledException):
        patient(client, waits).park([(batch("a"), NOW)], now=NOW)
    assert waits == []


def test_no_other_error_is_taken_for_a_lost_race(backlog: Backlog) -> None:
    """A throttled removal, rest or wake must be tried again, not forgotten."""
    backlog.park([(batch("a"), NOW)], now=NOW)
    partition = lane_of(backlog)
    (parked,) = backlog.read(partition)
    throttled = patient(refusing(THROTTLED))
    for call in (
        lambda: throttled.remove([parked]),
        lambda: throttled.rest(partition, until=None),
        lambda: throttled.rest(partition, until=NOW),
        lambda: throttled.wake("i1", WEBHOOK, now=NOW),
        lambda: throttled.quarantine(parked),
    ):
        with pytest.raises(ClientError):
            call()


def test_what_is_taken_out_no_longer_waits(backlog: Backlog) -> None:
    """The count of the mark follows; twice is once."""
    backlog.park([(batch("a", "b", "c"), NOW)], now=NOW)
    partition = lane_of(backlog)
    parked = backlog.read(partition)
    assert backlog.waiting("i1", WEBHOOK) == 3
    for _ in range(2):
        backlog.remove(parked)
        assert backlog.read(partition) == []
        assert backlog.waiting("i1", WEBHOOK) == 0


def test_what_is_set_aside_no_longer_waits_either(backlog: Backlog) -> None:
    """And the second time there is nothing to set aside."""
    backlog.park([(batch("a", "b"), NOW)], now=NOW)
    (parked,) = backlog.read(lane_of(backlog))
    for _ in range(2):
        backlog.quarantine(parked)
        assert backlog.waiting("i1", WEBHOOK) == 0


def test_no_count_is_kept_for_a_partition_without_a_mark(backlog: Backlog, dynamodb: "DynamoDBClient") -> None:
    """A removal after the rest must not make a mark that nobody parked for."""
    backlog.park([(batch("a"), NOW)], now=NOW)
    partition = lane_of(backlog)
    parked = backlog.read(partition)
    assert backlog.rest(partition, until=None)
    backlog.remove(parked)
    backlog.wake("i1", WEBHOOK, now=NOW)
    assert dynamodb.scan(TableName="backlog")["Items"] == []


def test_a_partition_rests_until_its_next_item_is_due(backlog: Backlog) -> None:
    """To the moment; what is parked since is found by its own time."""
    backlog.park([(batch("a"), NOW)], now=NOW)
    assert backlog.rest(lane_of(backlog), until=NOW + HOUR)
    assert list(backlog.due(now=NOW + HOUR - timedelta(seconds=1))) == []
    (partition,) = backlog.due(now=NOW + HOUR)
    assert (partition.instance_id, partition.webhook_id, partition.waiting) == ("i1", WEBHOOK, 1)


def test_a_webhook_that_is_woken_is_due_with_all_its_partitions(backlog: Backlog) -> None:
    """And no other webhook of the instance is."""
    entries = [(batch(f"m{number}"), NOW + HOUR) for number in range(80)]
    backlog.park([*entries, (batch("other", webhook=WebhookId("w2")), NOW + HOUR)], now=NOW)
    before = {partition.shard: partition.seq for partition in backlog.partitions("i1", WEBHOOK)}
    backlog.wake("i1", WEBHOOK, now=NOW)
    woken = list(backlog.due(now=NOW))
    assert {partition.webhook_id for partition in woken} == {WEBHOOK}
    assert {partition.shard for partition in woken} == set(range(SHARDS))
    assert all(partition.seq != before[partition.shard] for partition in woken)


def test_items_are_read_up_to_the_moment_and_the_number_asked_for(backlog: Backlog) -> None:
    """What is due exactly then is; what is due later is not."""
    items = [one for number in range(1, 100) if _shard(backlog, one := batch("a", attempt=number)) == "0"][:3]
    backlog.park([(one, NOW + timedelta(seconds=number)) for number, one in enumerate(items)], now=NOW)
    partition = lane_of(backlog)
    assert [one.due for one in backlog.read(partition, until=NOW + timedelta(seconds=1))] == [
        NOW,
        NOW + timedelta(seconds=1),
    ]
    assert len(backlog.read(partition)) == 3
    assert len(backlog.read(partition, limit=2)) == 2


def test_marks_that_dynamodb_has_not_read_are_asked_for_again(
    backlog: Backlog, dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch read may be answered in part; a partition left out would not be woken."""
    backlog.park([(batch(f"m{number}"), NOW) for number in range(80)], now=NOW)
    whole: Any = dynamodb.batch_get_item

    def in_part(RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        keys = RequestItems["backlog"]["Keys"]
        answer: dict[str, Any] = dict(whole(RequestItems={"backlog": {**RequestItems["backlog"], "Keys": keys[:3]}}))
        answer["UnprocessedKeys"] = {"backlog": {**RequestItems["backlog"], "Keys": keys[3:]}} if keys[3:] else {}
        return answer

    monkeypatch.setattr(dynamodb, "batch_get_item", in_part)
    assert sorted(partition.shard for partition in backlog.partitions("i1", WEBHOOK)) == list(range(SHARDS))


def test_a_flood_is_parked_by_several_threads() -> None:
    """One after the other it would take longer than an invocation has. All are done, and a fault is raised."""
    seen: list[int] = []
    together = threading.Barrier(4, timeout=10)

    def work(number: int) -> None:
        together.wait()
        seen.append(number)

    Backlog(refusing(THROTTLED), "backlog", side_by_side=4)._each(work, range(8))
    assert sorted(seen) == list(range(8))
    with pytest.raises(ClientError):
        Backlog(refusing(THROTTLED), "backlog", side_by_side=4).park([(batch("a"), NOW), (batch("b"), NOW)], now=NOW)


def test_everything_that_waits_is_found_by_its_marks_due_or_not(backlog: Backlog) -> None:
    """Each partition with its count and with when its first item is due; an emptied one is gone."""
    other = WebhookId("w2")
    backlog.park([(batch("a", "b"), NOW - HOUR), (batch("c", webhook=other), NOW + 100 * HOUR)], now=NOW)

    found = {partition.webhook_id: (partition.waiting, due) for partition, due in backlog.marked()}
    assert found == {WEBHOOK: (2, NOW - HOUR), other: (1, NOW + 100 * HOUR)}

    for partition, _ in list(backlog.marked()):
        backlog.remove(backlog.read(partition))
        backlog.rest(next(one for one, _ in backlog.marked() if one.pk == partition.pk), until=None)
    assert list(backlog.marked()) == []
