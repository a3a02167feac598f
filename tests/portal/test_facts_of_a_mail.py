"""What a search says of each thing it finds, in full: of deliveries in every format, of what waits, of the ledger."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambdas.domain.reputation.ledger import LedgerEntry, LedgerKind
from lambdas.domain.webhooks.backlog import Parked, Partition
from lambdas.domain.webhooks.batch import batch_id
from lambdas.domain.webhooks.delivery import KEPT_FOR, Delivery, DeliveryBatch
from lambdas.domain.webhooks.health import FailedAttempt, Health
from lambdas.domain.webhooks.target import Target
from lambdas.domain.webhooks.webhook import NotificationFormat, WebhookId
from lambdas.portal.finding import FIRST_SLICE, MAX_FOUND, MAX_WAITING, PATIENCE, Finder, Found, Place, Search

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DATA: dict[str, Any] = {
    "message_id": "M-1",
    "mail": {"to": ["cc@x.example", "Ann@x.example"], "subject": "Your order"},
    "recipients": [
        {"email": "Ann@x.example", "status": "5.1.1", "diagnostic": "user unknown"},
        {"email": "bob@x.example", "status": "", "diagnostic": None},
    ],
}
SOURCE: dict[str, Any] = {
    "eventType": "Bounce",
    "mail": {"messageId": "M-1", "destination": ["ann@x.example"], "commonHeaders": {"subject": "Your order"}},
}
HOOK = Target(
    instance_id="i1", webhook_id=WebhookId("w1"), url="https://a.example/", format=NotificationFormat.STANDARD_WEBHOOKS
)


def delivered(body: Any, id_: str = "msg_1", at: datetime = NOW - MINUTE) -> Delivery:
    text = body if isinstance(body, str) else json.dumps(body)
    return Delivery(
        id=id_, type="email.bounced", timestamp=at, created_at=at, format=HOOK.format, body=text, headers={}
    )


def batch(*deliveries: Delivery, attempt: int = 2, fixed: bool = False) -> DeliveryBatch:
    return DeliveryBatch(
        instance_id="i1", webhook_id=WebhookId("w1"), attempt=attempt, deliveries=deliveries, fixed=fixed
    )


def parked(*deliveries: Delivery, fixed: bool = False, readable: bool = True) -> Parked:
    partition = Partition(instance_id="i1", webhook_id=WebhookId("w1"), shard=0, seq="", waiting=1)
    content = batch(*deliveries, fixed=fixed) if readable else None
    return Parked(
        partition=partition, sk="s", token="t", due=NOW + MINUTE, parked_at=NOW, count=len(deliveries), batch=content
    )


def entry(at: datetime, key: str = "k1", **changes: Any) -> LedgerEntry:
    known: dict[str, Any] = {
        "key": key,
        "kind": LedgerKind.COMPLAINT,
        "bucket": "b",
        "timestamp": at,
        "counted": 1,
        "message_id": "M-1",
        "reason": "abuse",
        "recipients": ("bob@x.example", "Ann@x.example"),
        "sent_at": None,
    }
    return LedgerEntry(**known | changes)


@dataclass
class Kept:
    """Archive, backlog and ledger, in one; reading costs time."""

    archived: list[tuple[datetime, DeliveryBatch]] = field(default_factory=list)
    waiting: list[Parked] = field(default_factory=list)
    entries: list[LedgerEntry] = field(default_factory=list)
    partitions_of: int = 1
    asked: list[Any] = field(default_factory=list)
    clock: float = 0.0
    cost: float = 0.0

    def between(self, instance: str, webhook: str, shard: int, *, since: datetime, until: datetime) -> Any:
        self.asked.append((instance, webhook, shard))
        return iter([(at, one) for at, one in self.archived if since <= at < until and shard == 0])

    def older(self, instance: str, *, after: str) -> Any:
        self.asked.append((instance, after))
        return iter(self.entries)

    def partitions(self, instance: str, webhook: str) -> Any:
        self.asked.append((instance, webhook))
        return [
            Partition(instance_id=instance, webhook_id=WebhookId(webhook), shard=n, seq="", waiting=1)
            for n in range(self.partitions_of)
        ]

    def read(self, partition: Partition, *, after: str = "", limit: int) -> Any:
        self.asked.append((partition.shard, limit))
        self.clock += self.cost
        return self.waiting

    def search(self, needle: str, target: Target = HOOK, until: datetime = NOW, shards: int = 2) -> Search:
        kept: Any = self
        finder = Finder(ledger=kept, archive=kept, backlog=kept, shards=shards, clock=lambda: self.clock)
        return finder.search("i1", needle, [(target, "a.example")], place=Place(until=until, after="k0"), now=NOW)


FOUND = Found(
    at=NOW - MINUTE,
    event="email.bounced",
    message_id="M-1",
    recipients=("Ann@x.example", "bob@x.example", "cc@x.example"),
    subject="Your order",
    detail="5.1.1 user unknown",
    outcome="delivered at 21 Nov 11:58:00 UTC, attempt 2",
    host="a.example",
    delivery_id="msg_1",
)


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        ({"type": "email.bounced", "data": DATA}, {}),
        ({"specversion": "1.0", "data": DATA}, {}),
        (DATA, {}),
        (
            {"Type": "Notification", "Message": json.dumps(SOURCE)},
            {"recipients": ("ann@x.example",), "detail": "Bounce"},
        ),
        (
            {"Message": json.dumps({"notificationType": "Complaint", "mail": {"destination": ["ann@x.example"]}})},
            {"recipients": ("ann@x.example",), "detail": "Complaint", "message_id": "", "subject": ""},
        ),
        ({"data": {"message_id": "ann@x"}}, {"message_id": "ann@x", "recipients": (), "subject": "", "detail": ""}),
        (
            "Bounced: ann@x.example",
            {"message_id": "", "recipients": ("Bounced: ann@x.example",), "subject": "", "detail": ""},
        ),
        ({"data": {"message_id": 5, "mail": {"to": "ann@x"}}}, None),
    ],
)
def test_what_was_delivered_is_told_in_full_whatever_its_format(body: Any, changes: dict[str, Any] | None) -> None:
    """Who is looked for comes first among the recipients."""
    kept = Kept(archived=[(NOW - 2 * MINUTE, batch(delivered(body)))])
    found = kept.search("ANN@x").found
    if changes is None:
        assert found == ()
        return
    assert found == (replace(FOUND, **changes),)


def test_every_partition_and_webhook_is_read() -> None:
    """Of that instance, from where the last request ended."""
    kept = Kept(partitions_of=2)
    kept.search("ann@x")
    assert ("i1", "k0") in kept.asked
    assert {one for one in kept.asked if len(one) == 3} == {("i1", "w1", 0), ("i1", "w1", 1)}
    assert [one for one in kept.asked if one[1] == MAX_WAITING] == [(0, MAX_WAITING), (1, MAX_WAITING)]


@pytest.mark.parametrize(
    ("attempts", "fixed", "last"),
    [
        ([], False, ""),
        ([("msg_1", "status 503")], False, "; the last attempt: status 503"),
        ([("msg_2", "status 503")], False, ""),
        ([("batch", "timed out")], True, "; the last attempt: timed out"),
        ([("batch", "timed out"), ("msg_1", "status 503")], True, "; the last attempt: status 503"),
        ([("batch", "timed out")], False, ""),
    ],
)
def test_what_waits_is_told_with_its_time_and_the_last_attempt_s_result(
    attempts: list[tuple[str, str]], fixed: bool, last: str
) -> None:
    """Of the delivery, or of the batch that it was posted in."""
    one, other = delivered({"data": DATA}), delivered({"data": {"message_id": "M-2"}}, "msg_3")
    ids = {"batch": batch_id([one, other])}
    failed = tuple(
        FailedAttempt(at=NOW, delivery=ids.get(name, name), type="t", reason=reason, excerpt="")
        for name, reason in attempts
    )
    target = Target(
        instance_id="i1",
        webhook_id=WebhookId("w1"),
        url="https://a.example/",
        format=HOOK.format,
        health=Health(attempts=failed),
    )
    kept = Kept(waiting=[parked(readable=False), parked(one, other, fixed=fixed)])
    answer = kept.search("ann@x", target)
    [found] = answer.found
    assert found.outcome == f"waits until 21 Nov 12:01:00 UTC for attempt 2{last}"
    assert (found.host, found.delivery_id, answer.waiting_cut) == ("a.example", "msg_1", False)


def test_what_waits_is_looked_at_by_the_first_request_alone() -> None:
    """The next ones go further back."""
    kept = Kept(waiting=[parked(delivered({"data": DATA}))])
    assert len(kept.search("ann@x").found) == 1
    assert kept.search("ann@x", until=NOW - MINUTE).found == ()


@pytest.mark.parametrize(("number", "cut"), [(MAX_WAITING - 1, False), (MAX_WAITING, True)])
def test_a_long_backlog_is_cut_and_the_page_says_so(number: int, cut: bool) -> None:
    """As many items as are read at once may not be all."""
    assert Kept(waiting=[parked()] * number).search("ann@x").waiting_cut is cut


@pytest.mark.parametrize(("cost", "read"), [(PATIENCE, 2), (PATIENCE + 0.01, 1)])
def test_a_slow_backlog_is_cut_too(cost: float, read: int) -> None:
    """What was found until then is shown."""
    kept = Kept(waiting=[parked(delivered({"data": DATA}))], partitions_of=2, cost=cost)
    answer = kept.search("ann@x")
    assert (len(answer.found), answer.waiting_cut) == (read, read == 1)


def test_an_entry_of_the_ledger_is_told_in_full() -> None:
    """It counts in the rates; what is unknown is empty."""
    bare = entry(NOW - 3 * MINUTE, "k2", message_id=None, reason=None)
    kept = Kept(entries=[entry(NOW - 2 * MINUTE), bare, entry(NOW - 3 * MINUTE, "k3", recipients=("eve@x.example",))])
    found = kept.search("ann@x")
    told = Found(
        at=NOW - 2 * MINUTE,
        event="complaint",
        message_id="M-1",
        recipients=("Ann@x.example", "bob@x.example"),
        subject="",
        detail="abuse",
        outcome="counts in the rates",
    )
    assert found.found[0] == told
    assert (found.found[1].message_id, found.found[1].detail) == ("", "")
    assert len(found.found) == 2
    assert len(kept.search("m-1").found) == 2
    assert (found.done, found.cut) == (True, False)
    assert found.place == Place(until=NOW - KEPT_FOR, after="k3", width=FIRST_SLICE)


def test_without_entries_a_search_ends_where_it_began_in_the_ledger() -> None:
    """And is done."""
    assert Kept().search("ann@x").place.after == "k0"


@pytest.mark.parametrize(("number", "cut"), [(MAX_FOUND, False), (MAX_FOUND + 1, True)])
def test_two_hundred_are_shown(number: int, cut: bool) -> None:
    """Newest first."""
    made = [delivered({"data": DATA}, f"msg_{n}", NOW - n * timedelta(seconds=1)) for n in range(number)]
    answer = Kept(archived=[(NOW - MINUTE, batch(*reversed(made)))]).search("ann@x")
    assert (len(answer.found), answer.cut) == (MAX_FOUND, cut)
    assert [answer.found[0].delivery_id, answer.found[-1].delivery_id] == ["msg_0", f"msg_{MAX_FOUND - 1}"]
