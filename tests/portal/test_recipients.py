"""Operators find a recipient across instances, in requests that end in time, without losing or repeating anything."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambdas.domain.portal import Right
from lambdas.domain.reputation.ledger import LedgerEntry, LedgerKind, bucket_of
from lambdas.portal.recipients import BUDGET, ENTRIES, SIDE_BY_SIDE, RecipientFinder, RecipientPlace, RecipientSearch
from tests.portal.world import World

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@dataclass
class Ledgers:
    """Ledgers of instances, newest first; a read takes `cost` seconds."""

    kept: dict[str, list[LedgerEntry]] = field(default_factory=dict)
    cost: float = 0.0
    now: float = 0.0
    reads: list[tuple[str, str]] = field(default_factory=list)

    def bounced(self, instance: str, number: int, *, to: str = "bob@x.example", newest: datetime = NOW) -> None:
        """So many bounces, a second apart."""
        moments = (newest - timedelta(seconds=second) for second in range(number))
        self.kept.setdefault(instance, []).extend(_entry(instance, at, to) for at in moments)
        self.kept[instance].sort(key=lambda entry: entry.key, reverse=True)

    def page(self, instance: str, *, after: str, limit: int) -> tuple[list[LedgerEntry], str]:
        """As the table's."""
        self.now += self.cost
        self.reads.append((instance, after))
        left = [entry for entry in self.kept.get(instance, ()) if not after or entry.key < after]
        return left[:limit], left[limit - 1].key if len(left) > limit else ""

    def search(self, needle: str, place: RecipientPlace | None = None) -> RecipientSearch:
        """One request."""
        ledger: Any = self
        finder = RecipientFinder(ledger=ledger, clock=lambda: self.now)
        return finder.search(tuple(self.kept), needle, place=place or RecipientPlace())

    def requests(self, needle: str) -> Iterator[RecipientSearch]:
        """All that it takes."""
        place = RecipientPlace()
        for _ in range(1_000):
            answer = self.search(needle, place)
            yield answer
            if answer.done:
                return
            place = answer.place
        raise AssertionError(f"the search never ended: {place}")


def _entry(instance: str, at: datetime, to: str) -> LedgerEntry:
    return LedgerEntry(
        key=f"{at.timestamp():020.3f}#{instance}",
        kind=LedgerKind.BOUNCE,
        bucket=bucket_of(at),
        timestamp=at,
        counted=1,
        message_id="m-1",
        reason="NoEmail",
        recipients=(to,),
        sent_at=at,
    )


def test_a_recipient_is_found_in_every_instance_newest_first() -> None:
    """However the address is written."""
    ledgers = Ledgers()
    for number in range(20):
        ledgers.bounced(f"i{number:02}", 5)
        ledgers.bounced(f"i{number:02}", 1, to="Ann@X.example", newest=NOW - timedelta(days=number))
    answer = ledgers.search("ann@x.EXAMPLE")
    assert (answer.done, answer.read, answer.total) == (True, 20, 20)
    assert [instance for instance, _ in answer.found] == [f"i{number:02}" for number in range(20)]


def test_a_search_ends_in_time_and_continues_where_it_ended() -> None:
    """Each instance is read once, each entry found once, in however many requests."""
    ledgers = Ledgers(cost=0.5)
    for number in range(100):
        ledgers.bounced(f"i{number:03}", 1, to="ann@x.example", newest=NOW - timedelta(minutes=number))
    found, longest, began = [], 0.0, 0.0
    for answer in ledgers.requests("ann@x.example"):
        found += [instance for instance, _ in answer.found]
        longest, began = max(longest, ledgers.now - began), ledgers.now
    assert sorted(found) == sorted(ledgers.kept)
    assert len(ledgers.reads) == len(ledgers.kept)
    assert longest <= BUDGET + SIDE_BY_SIDE * ledgers.cost


def test_a_large_ledger_is_read_in_parts_while_others_continue() -> None:
    """The key of the last entry that was read is where the next request continues."""
    ledgers = Ledgers(cost=2.0)
    ledgers.bounced("busy", 4 * ENTRIES + 1)
    ledgers.bounced("busy", 1, to="ann@x.example", newest=NOW - timedelta(days=9))
    for number in range(30):
        ledgers.bounced(f"i{number:02}", 1)
    answers = list(ledgers.requests("ann@x.example"))
    assert not answers[0].done
    assert "busy" in answers[0].place.unfinished
    assert [instance for answer in answers for instance, _ in answer.found] == ["busy"]
    assert len(set(ledgers.reads)) == len(ledgers.reads), "nothing was read twice"
    assert all(len(answer.place.unfinished) <= SIDE_BY_SIDE for answer in answers)


def test_an_instance_that_is_made_or_deleted_meanwhile_does_not_stop_a_search() -> None:
    """The list of instances is read again by each request."""
    ledgers = Ledgers(cost=2.0)
    for number in range(20):
        ledgers.bounced(f"i{number:02}", 2 * ENTRIES)
    first = ledgers.search("nobody@x.example")
    gone = next(iter(first.place.unfinished))
    del ledgers.kept[gone]
    ledgers.bounced("zz-new", 1, to="nobody@x.example")
    answer, found = first, list[str]()
    while not answer.done:
        answer = ledgers.search("nobody@x.example", answer.place)
        found += [instance for instance, _ in answer.found]
    assert found == ["zz-new"]
    assert (answer.read, answer.total) == (20, 20)


def test_more_matches_than_an_answer_holds_are_cut_and_said_so() -> None:
    """Somebody searches for a provider's domain."""
    ledgers = Ledgers()
    ledgers.bounced("i1", ENTRIES)
    answer = ledgers.search("x.example")
    assert (len(answer.found), answer.cut) == (200, True)


@pytest.fixture
def fleet(world: World) -> World:
    """Two organizations' instances that mailed the same recipient."""
    world.tenant("i1", domain="news.agency.gov", organization="office-of-news")
    world.tenant("i2", domain="permits.agency.gov", organization="permits")
    for number, instance in enumerate(("i1", "i2")):
        world.bounced(instance, 2, at=world.now - timedelta(hours=number + 1))
        world.bounced(instance, 1, to="ann@example.com", at=world.now - timedelta(days=number + 1))
    return world


def test_an_operator_finds_a_recipient_across_instances(fleet: World) -> None:
    """On the real tables, with a link to each instance and a form to find its deliveries."""
    page = fleet.caller().post("/recipients", {"needle": "ann@example.com"}).text
    assert "2 found in 2 of 2 instances" in page
    assert "news.agency.gov" in page
    assert "permits.agency.gov" in page
    assert "user0@example.net" not in page
    assert 'action="./instances/i1/mail"' in page
    assert "Search the next instances" not in page


def test_a_search_is_restricted_to_an_organization(fleet: World) -> None:
    """The others are not even read."""
    page = fleet.caller().post("/recipients", {"needle": "ann@example.com", "within": "Office-of-News"}).text
    assert "1 found in 1 of 1 instances" in page
    assert "permits.agency.gov" not in page


def test_nothing_found_is_said_plainly(fleet: World) -> None:
    """And what was searched: not deliveries."""
    page = fleet.caller().post("/recipients", {"needle": "nobody@example.com"}).text
    assert "No bounce or complaint of the last 30 days is about it" in page
    assert "To search deliveries, too, open an instance" in page


def test_a_search_is_continued_by_a_form(fleet: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its place is signed: a made-up one, or one of another search's form, is refused."""
    monkeypatch.setattr("lambdas.portal.recipients.SIDE_BY_SIDE", 1)
    monkeypatch.setattr("lambdas.portal.recipients.BUDGET", 0.0)
    caller = fleet.caller()
    page = caller.post("/recipients", {"needle": "ann@example.com"}).text
    assert "1 found in 1 of 2 instances" in page
    assert "1 of 2 instances is not searched yet" in page
    place = re.search(r'name="place" value="([^"]*)"', page)
    assert place is not None
    page = caller.post("/recipients", {"needle": "ann@example.com", "place": place[1]}).text
    assert "1 found in 2 of 2 instances" in page
    assert "permits.agency.gov" in page
    assert caller.post("/recipients", {"needle": "ann@example.com", "place": "made-up"}).status == 400


@pytest.mark.parametrize("needle", ["", "ab", "x" * 321, "a\nb@x.example"])
def test_what_is_no_recipient_is_refused_by_name(fleet: World, needle: str) -> None:
    """The error names the field."""
    answer = fleet.caller().post("/recipients", {"needle": needle})
    assert answer.status == 400
    assert "The field needle" in answer.text


def test_tenants_do_not_see_the_page_and_read_only_operators_do(fleet: World) -> None:
    """It shows every tenant's recipients."""
    assert fleet.caller("i1").get("/recipients").status == 404
    assert fleet.caller("i1").post("/recipients", {"needle": "ann@example.com"}).status == 404
    assert fleet.caller(right=Right.READ).get("/recipients").status == 200


def test_a_search_for_an_address_in_the_list_offers_the_recipient(fleet: World) -> None:
    """The list compares the address's domain with those of instances; the recipient is another search, by POST."""
    page = fleet.caller().post("/search", {"needle": "ann@example.com"}).text
    assert "Find this recipient in all instances" in page
    assert 'action="./recipients"' in page
    assert "Find this recipient" not in fleet.caller().post("/search", {"needle": "permits"}).text
