"""Find a mail: all that is kept of it, in requests that end in time, without losing or repeating anything."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambdas.domain.reputation.ledger import LedgerEntry, LedgerKind, bucket_of
from lambdas.domain.webhooks.delivery import KEPT_FOR, Delivery, DeliveryBatch
from lambdas.domain.webhooks.target import Target
from lambdas.domain.webhooks.webhook import NotificationFormat, WebhookId
from lambdas.portal.finding import MAX_FOUND, PATIENCE, Finder, Found, Place, Search, matching
from tests.portal.world import World, delivery

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HOOK = Target(
    instance_id="i1", webhook_id=WebhookId("w1"), url="https://a.example/", format=NotificationFormat.STANDARD_WEBHOOKS
)
TARGETS = [(HOOK, "a.example")]


@dataclass
class Kept:
    """Archive, backlog and ledger of one webhook; reading a delivery takes `cost` seconds."""

    delivered: list[tuple[datetime, Delivery]] = field(default_factory=list)
    entries: list[LedgerEntry] = field(default_factory=list)
    cost: float = 0.0
    now: float = 0.0
    read: int = 0

    def finder(self) -> Finder:
        """The finder over this."""
        kept: Any = self
        return Finder(ledger=kept, archive=kept, backlog=kept, shards=1, clock=lambda: self.now)

    def between(
        self, _instance: str, webhook_id: WebhookId, _shard: int, *, since: datetime, until: datetime
    ) -> Iterator[tuple[datetime, DeliveryBatch]]:
        for at, one in sorted(self.delivered, key=lambda pair: pair[0]):
            if since <= at < until:
                self.now += self.cost
                self.read += 1
                yield at, DeliveryBatch(instance_id="i1", webhook_id=webhook_id, attempt=1, deliveries=(one,))

    def older(self, _instance: str, *, after: str) -> Iterator[LedgerEntry]:
        for entry in sorted(self.entries, key=lambda entry: entry.key, reverse=True):
            if not after or entry.key < after:
                self.now += self.cost
                yield entry

    def partitions(self, *_: object) -> Sequence[Any]:
        return ()

    def bounced(self, at: datetime, to: str) -> None:
        """A bounce that counts."""
        self.entries.append(
            LedgerEntry(
                key=f"{at:%Y%m%d%H%M%S}#{len(self.entries):06}",
                kind=LedgerKind.BOUNCE,
                bucket=bucket_of(at),
                timestamp=at,
                counted=1,
                message_id="m-1",
                reason="NoEmail",
                recipients=(to,),
                sent_at=at,
            )
        )

    def delivery(self, at: datetime, to: str) -> None:
        """An event that was delivered."""
        self.delivered.append((at, delivery(f"msg_{len(self.delivered)}", to=to, at=at)))

    def search(self, needle: str, place: Place | None = None) -> Search:
        """One request."""
        return self.finder().search("i1", needle, TARGETS, place=place or Place(until=NOW), now=NOW)

    def all(self, needle: str, *, most: int = 500) -> list[Found]:
        """What all requests find, as a person who searches further back."""
        found: list[Found] = []
        place = Place(until=NOW)
        for _ in range(most):
            answer = self.search(needle, place)
            found += answer.found
            if answer.done:
                return found
            place = answer.place
        raise AssertionError(f"the search never ended: {place}")


def test_everything_that_is_kept_is_found_newest_first() -> None:
    """Deliveries of 14 days, ledger entries of 30, whatever lies between."""
    kept = Kept()
    for days in (0.001, 0.5, 3, 13.9):
        kept.delivery(NOW - timedelta(days=days), "ann@x.example")
    for days in (0.5, 13, 20, 29.9):
        kept.bounced(NOW - timedelta(days=days), "ann@x.example")
    kept.delivery(NOW - timedelta(hours=1), "bob@x.example")
    answer = kept.search("ANN@x.example")
    assert answer.done
    assert [one.at for one in answer.found] == sorted((one.at for one in answer.found), reverse=True)
    assert [one.host for one in answer.found].count("a.example") == 4
    assert [one.outcome for one in answer.found].count("counts in the rates") == 4


def test_a_quiet_instance_is_searched_in_one_request() -> None:
    """Slices grow while they are quick."""
    assert Kept().search("ann@x.example").done


def test_a_search_that_takes_long_goes_on_where_it_ended() -> None:
    """Each delivery and each entry once, in however many requests."""
    kept = Kept(cost=0.2)
    for hours in range(1, 14 * 24, 3):
        kept.delivery(NOW - timedelta(hours=hours), "ann@x.example")
        kept.bounced(NOW - timedelta(hours=hours), "ann@x.example")
    found = kept.all("ann@x.example")
    assert len(found) == len({(one.at, one.host) for one in found}) == len(kept.delivered) + len(kept.entries)


@pytest.mark.parametrize("cost", [0.01, 0.3])
def test_a_busy_hour_after_quiet_days_ends_no_request_without_progress(cost: float) -> None:
    """The slice has grown to days by then: it is given up, and read again as shorter ones."""
    kept = Kept(cost=cost)
    busy = NOW - timedelta(days=3)
    for second in range(0, 3600, 6):
        kept.delivery(busy - timedelta(seconds=second), "ann@x.example" if second == 1800 else "bob@x.example")
    requests, place = 0, Place(until=NOW)
    while True:
        began = kept.now
        answer = kept.search("ann@x.example", place)
        assert kept.now - began < 8 + 2 * PATIENCE + 1, "a request must end long before the API gives up"
        requests += 1
        if answer.found or requests > 100:
            break
        assert (answer.place.until, answer.place.width) < (place.until, place.width)
        place = answer.place
    assert [one.at for one in answer.found] == [busy - timedelta(seconds=1800)]


def test_more_matches_than_a_page_holds_are_cut_and_said_so() -> None:
    """Somebody searches for `gmail.com`: a page of ten thousand lines would be no answer at all."""
    kept = Kept()
    for number in range(MAX_FOUND + 50):
        kept.delivery(NOW - timedelta(seconds=number + 1), f"user{number}@gmail.example")
    answer = kept.search("gmail.example")
    assert (len(answer.found), answer.cut) == (MAX_FOUND, True)
    assert answer.found[0].recipients == ("user0@gmail.example",)


def test_nothing_older_than_what_is_kept_is_read() -> None:
    """DynamoDB removes expired items late."""
    kept = Kept()
    kept.delivery(NOW - KEPT_FOR - timedelta(hours=1), "ann@x.example")
    assert kept.search("ann@x.example").found == ()


def test_a_busy_ledger_is_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand bounces in a minute; the key of the last one read is where the next request goes on."""
    kept = Kept(cost=0.1)
    for number in range(300):
        kept.bounced(NOW - timedelta(minutes=1, milliseconds=number), f"user{number}@x.example")
    first = kept.search("user299@x.example")
    assert not first.done
    assert first.place.after
    assert [one.recipients for one in kept.all("user299@x.example")] == [("user299@x.example",)]


@pytest.mark.parametrize(
    ("needle", "matches"),
    [
        ("ann@x.example", True),
        ("m-7", True),
        ("x.example", True),
        ("your order", False),  # the subject: no address and no message id
        ("user unknown", False),
    ],
)
def test_a_delivery_matches_by_recipient_or_message_id_alone(needle: str, matches: bool) -> None:
    """A word of a subject or a diagnostic is not what was asked for."""
    one = delivery("msg_1", to="Ann@x.example", message_id="M-7", at=NOW)
    assert (matching(one, needle, outcome="", host="") is not None) is matches


@pytest.mark.parametrize("body", ["Bounced: ann@x.example\n", "{", '{"Message": 1}', '{"data": []}', "[]", "null"])
def test_a_body_of_any_form_is_searched(body: str) -> None:
    """Digests are paragraphs; a body may have been cut. What cannot be read is searched as text, and breaks nothing."""
    one = Delivery(
        id="d",
        type="email.bounced",
        timestamp=NOW,
        created_at=NOW,
        format=NotificationFormat.EMAIL,
        body=body,
        headers={},
    )
    found = matching(one, "ann@x.example", outcome="", host="")
    assert (found is not None) is ("ann@" in body)


def test_what_waits_is_found_with_its_next_attempt(world: World) -> None:
    """On the real tables: each event of a batch, by its own recipient."""
    world.tenant("i1")
    world.webhook("i1", "w1")
    soon = world.now + timedelta(minutes=5)
    at = world.now - timedelta(minutes=1)
    world.parked("i1", "w1", *(delivery(f"msg_{n}", to=f"u{n}@x.example", at=at) for n in range(3)), due=soon)
    text = world.caller("i1").post("/instances/i1/mail", {"needle": "u1@x.example"}).text
    assert f"waits until {soon:%d %b %H:%M:%S} UTC for attempt 1" in text
    assert "u2@x.example" not in text
