"""What the reports are reckoned with: prices, the fair queue, growth, the journal."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from benchmarks import journal, noisy
from benchmarks.cost import Usage, lines, prices
from benchmarks.growth_model import Load, gathered, limits, partition_writes, shares, tenants_in
from benchmarks.pipeline import UnitCosts
from benchmarks.report import Report, Table, as_markdown, higher, lower

NOW = datetime(2026, 11, 21, tzinfo=UTC)
COSTS = UnitCosts(feedback_event_cpu_s=0.0002, feedback_tenant_cpu_s=0.003, delivery_cpu_s=0.001)
RULES = noisy.Rules(environments=20, batch=100, window=1.0, cpu=0.001)


def test_a_million_events_cost_what_their_parts_cost() -> None:
    """By hand: a publish, two requests to SQS, half a write unit."""
    usage = Usage(
        sns_publishes=1,
        sqs_requests=2,
        lambda_requests=0,
        lambda_gb_s=0,
        writes=0.5,
        reads=0,
        kms_requests=0,
        log_bytes=1_000,
        bytes_out=0,
    )

    dollars = lines(usage, prices())

    assert dollars["SNS"] == pytest.approx(0.50)
    assert dollars["SQS"] == pytest.approx(0.80)
    assert dollars["DynamoDB"] == pytest.approx(0.3125)
    assert dollars["logs"] == pytest.approx(0.50)


def test_message_groups_spare_the_quiet_tenant_a_flood() -> None:
    """When the environments do not keep up, a fair queue hands out the quiet tenant's message first."""
    few = replace(RULES, environments=2)
    unfair, fair = (noisy.simulate(few, groups=groups, flood=100_000) for groups in (False, True))

    assert max(fair) < max(unfair) / 2
    assert len(fair) == len(unfair) == noisy.SECONDS


def test_without_a_flood_groups_change_nothing() -> None:
    """Everything is handed out as it comes."""
    assert noisy.simulate(RULES, groups=True, flood=0) == noisy.simulate(RULES, groups=False, flood=0)


def test_tenants_share_all_events_and_fuller_batches_hold_more_of_them() -> None:
    """Zipf's law, and what it means for counters."""
    assert sum(shares(100)) == pytest.approx(1)
    few, many = Load(tenants=100, rate=10), Load(tenants=100, rate=1_000)
    assert 1 <= tenants_in(few) < tenants_in(many) <= 100
    assert tenants_in(many) / gathered(many) < tenants_in(few) / gathered(few)
    assert partition_writes(few) < partition_writes(many)


def test_limits_come_with_what_moves_them_the_first_to_bite_first() -> None:
    """An operator reads the first line."""
    found = limits(10_000, COSTS)

    assert [limit.rate for limit in found] == sorted(limit.rate for limit in found)
    assert found[0].moved_by == "feedback_concurrency"


def test_the_journal_keeps_entries_and_tells_what_slipped() -> None:
    """Latest first; a figure is compared with the latest entry that has it."""
    first = Report(name="a", figures=(higher("speed", 10.0), lower("cost", 1.0)))
    second = Report(name="a", figures=(higher("speed", 7.0), lower("cost", 1.1)))

    text = journal.written([first], "", now=NOW)
    slips = journal.slips([second], text)
    text = journal.written([second], text, now=NOW)

    assert [slip.name for slip in slips] == ["speed"]
    assert slips[0].factor == pytest.approx(10 / 7)
    assert len(re.findall("^## ", text, re.MULTILINE)) == 2
    assert not journal.slips([second], text)


def test_a_figure_knows_whether_its_target_is_met() -> None:
    """At least, or at most."""
    assert higher("speed", 3.0, target=3).met
    assert not lower("cost", 2.1, "$", 2).met
    assert lower("cost", 2.1, "$", 2).row() == ("cost", "$2.10", "≤ $2.00", "MISSED")


def test_a_table_reads_as_markdown() -> None:
    """With its note below."""
    table = Table(title="T", columns=("a", "b"), rows=(("1", "2"),), note="N")

    assert as_markdown(table) == "### T\n\n| a | b |\n|---|---:|\n| 1 | 2 |\n\nN"
