"""What a month costs: counts times prices, by tenant."""

import csv
import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from lambdas.aws.dynamodb.attribute_values import to_item
from lambdas.domain.reputation.evaluation import HourCounts
from lambdas.domain.webhooks.webhook import EventKind
from ops.doctor.account import Account
from ops.tenants.cost import month_of
from tests.ops.world import Ops

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

ALL = frozenset({EventKind.BOUNCE, EventKind.COMPLAINT, EventKind.DELIVERY})


def test_each_event_is_taken_in_once_and_delivered_to_each_webhook_that_wants_it() -> None:
    """Bounces and complaints cost their write units too."""
    hours = [
        HourCounts(bucket="2026-11-21T04", deliveries=900_000, bounces=10_000, complaints=500),
        HourCounts(bucket="2026-11-21T03", deliveries=100_000),
    ]
    month = month_of(hours, [ALL, frozenset({EventKind.BOUNCE, EventKind.REJECT})])
    assert (month.deliveries, month.bounces, month.complaints) == (1_000_000, 10_000, 500)
    assert month.delivered == 1_000_000 + 10_000 + 500 + 10_000
    assert month.dollars == pytest.approx(1.0105 * 0.90 + 1.0205 * 0.76 + 0.0105 * 2.50)


def test_without_a_webhook_events_are_only_taken_in() -> None:
    """Feedback is always counted."""
    month = month_of([HourCounts(bucket="2026-11-21T04", deliveries=1_000_000)], [])
    assert month.dollars == pytest.approx(0.90)


def count(dynamodb: "DynamoDBClient", table: str, instance: str, deliveries: int) -> None:
    """Write a counter as the ledger does."""
    hour = datetime.now(UTC).strftime("%Y-%m-%dT%H")
    item = {"instance_id": instance, "item": f"deliveries#{hour}", "deliveries": deliveries}
    dynamodb.put_item(TableName=table, Item=to_item(item))


def test_the_command_lists_tenants_by_cost(ops: Ops) -> None:
    """As table, JSON and CSV, with the platform's names."""
    ops.put_instance("i2", name="other", domain="other.agency.gov")
    count(ops.dynamodb, "reputation", "i2", 2_000_000)
    rows = ops.run("cost")
    assert [row["name"] for row in rows] == ["other", "my-mail"]
    assert rows[0]["dollars"] == pytest.approx(1.8)
    read = list(csv.DictReader(io.StringIO(ops.say("cost", "--csv"))))
    assert read[0]["name"] == "other"
    assert float(read[0]["dollars"]) == pytest.approx(1.8)


def test_csv_and_json_together_are_refused(ops: Ops) -> None:
    """One output, one form."""
    assert "not both" in ops.say("cost", "--csv", "--json", status=1)


def test_limits_shows_each_quota_with_its_share(ops: Ops, monkeypatch: pytest.MonkeyPatch) -> None:
    """As doctor counts them."""
    monkeypatch.setattr(Account, "environment", {})  # the broker function's; there is none here
    rows = {row["resource"]: row for row in ops.run("limits")}
    assert {"IAM users", "configuration sets", "SES identities", "SNS topics"} <= set(rows)
    assert rows["IAM users"]["quota"] == 5000
