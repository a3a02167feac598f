"""The operators' list: bounded reads, whatever the number of instances and their mail."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambdas.domain.reputation.evaluation import HourCounts, SendingState
from lambdas.domain.webhooks.health import Health, HealthState
from lambdas.portal.overview import KEPT_FOR, Overviews
from lambdas.portal.pages import operators
from lambdas.portal.pages.operators import _split
from tests.portal.world import World

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@dataclass
class Tables:
    """Counts how often the tables are read through."""

    reads: int = 0

    def instances(self) -> Iterator[Any]:
        """None."""
        self.reads += 1
        return iter(())

    def every(self) -> Iterator[Any]:
        """None."""
        return iter(())


def test_both_tables_are_read_once_for_a_minute_of_paging() -> None:
    """The list itself is always read afresh, and starts the minute anew."""
    tables: Any = Tables()
    overviews = Overviews(registry=tables, webhooks=tables)
    for seconds in (0, 1, 59):
        assert overviews.recent(NOW + timedelta(seconds=seconds)).at == NOW
    assert tables.reads == 1
    assert overviews.recent(NOW + KEPT_FOR).at == NOW + KEPT_FOR
    assert overviews.fresh(NOW + timedelta(seconds=70)).at == NOW + timedelta(seconds=70)
    assert overviews.recent(NOW + timedelta(seconds=71)).at == NOW + timedelta(seconds=70)
    assert overviews.recent(NOW).at == NOW, "a clock that went back does not keep it for ever"
    assert tables.reads == 4


def test_counters_older_than_the_sparkline_are_read_only_if_the_window_needs_them() -> None:
    """They are most of what an instance has."""
    read: list[str] = []

    def hours() -> Iterator[HourCounts]:
        for bucket in ("2026-11-21T04", "2026-11-20T04", "2026-11-10T04", "2026-11-09T04"):
            read.append(bucket)
            yield HourCounts(bucket=bucket, deliveries=1)

    recent, older = _split(hours(), "2026-11-20")
    assert [hour.bucket for hour in recent] == ["2026-11-21T04", "2026-11-20T04"]
    assert len(read) == 3
    assert [hour.bucket for hour in older] == ["2026-11-10T04", "2026-11-09T04"]
    assert _split(iter(()), "2026-11-20")[0] == []


def test_a_list_has_pages_with_the_paused_first(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every instance is on one page, and on one page alone; a new one appears when the list is opened again."""
    monkeypatch.setattr(operators, "SHOWN", 2)
    for name in ("a", "b", "c", "d", "z"):
        world.tenant(name)
    world.moved("z", SendingState.PAUSED)
    caller = world.caller()
    pages = [caller.get("/").text, *(caller.post("/search", {"page": str(page)}).text for page in (1, 2))]
    shown = [re.findall(r'href="[./]*instances/(\w)"', page) for page in pages]
    assert shown == [["z", "a"], ["b", "c"], ["d"]]
    assert ">More</button>" in pages[0]
    assert ">More</button>" not in pages[2]
    world.tenant("e")
    assert "instances/e" not in caller.post("/search", {"needle": "e.agency.gov"}).text
    assert "6 by risk" in caller.get("/").text
    assert "instances/e" in caller.post("/search", {"needle": "e.agency.gov"}).text


def test_failing_webhooks_are_listed_up_to_a_number_and_the_page_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an outage of a platform every webhook fails: the command lists them all."""
    monkeypatch.setattr(operators, "UNWELL", 2)
    world.tenant("i1")
    world.webhook("i1", "fine")
    caller = world.caller()
    assert "Every webhook is healthy." in caller.get("/").text
    for number in range(3):
        health = Health(state=HealthState.FAILING, failures=3, last_reason="503", since=world.now)
        world.webhook("i1", f"w{number}", host=f"h{number}.example.gov", health=health)
    page = caller.get("/").text
    assert len(re.findall(r"h\d\.example\.gov", page)) == 2
    assert "python -m ops webhooks list" in page
