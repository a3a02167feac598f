"""Restoring a table beside the live one: what is asked, what is compared, what is left. On moto, which restores at
once and keeps no earlier states: the restored table has the items of now.
"""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID as ACCOUNT
from moto.dynamodb.models import dynamodb_backends

from lambdas.aws.dynamodb.attribute_values import to_item
from ops.restore import command, comparison, table
from tests.ops.world import Ops

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

NOW = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)


@pytest.fixture
def recoverable(ops: Ops) -> Ops:
    """The stack with point-in-time recovery on, as the template has it."""
    for name in ("webhooks", "broker"):
        ops.dynamodb.update_continuous_backups(
            TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )
        recovery = dynamodb_backends[ACCOUNT]["us-east-1"].tables[name].continuous_backups
        recovery["PointInTimeRecoveryDescription"]["EarliestRestorableDateTime"] = 0  # moto: the moment it was enabled
    return ops


def tables(ops: Ops) -> list[str]:
    """The tables that are there."""
    return sorted(ops.dynamodb.list_tables()["TableNames"])


def restored(ops: Ops) -> list[str]:
    """The tables that a restore made."""
    return [name for name in tables(ops) if "-at-" in name]


def test_a_table_is_restored_beside_the_live_one_and_compared(recoverable: Ops) -> None:
    """The live one is only read; the answer says how to switch and how to remove the new one."""
    said = recoverable.run("restore", "webhooks", "--to", "1m", "--yes")
    assert restored(recoverable) == [said["restored"]]
    assert said["items"]["restored"] == said["items"]["live"] == said["items"]["same"] == said["items"]["sampled"] == 2
    assert said["items"]["changed"] == said["items"]["missing"] == 0
    assert said["remove"] == f"aws dynamodb delete-table --table-name {said['restored']}"
    assert any("restore-table-from-backup --target-table-name webhooks" in step for step in said["switch"])


def test_a_rehearsal_leaves_nothing(recoverable: Ops) -> None:
    """With --remove."""
    text = recoverable.say("restore", "webhooks", "--to", "1m", "--yes", "--remove")
    assert "was removed" in text
    assert restored(recoverable) == []


def test_the_latest_moment_is_some_minutes_ago_and_needs_no_clock(recoverable: Ops) -> None:
    """As DynamoDB says it; for a rehearsal."""
    said = recoverable.run("restore", "broker", "--to", "latest", "--yes", "--remove")
    assert said["items"]["same"] == said["items"]["sampled"] > 0
    assert restored(recoverable) == []


def test_nothing_is_restored_without_a_yes(recoverable: Ops) -> None:
    """The estimate is shown first."""
    assert "confirm by --yes" in recoverable.run("restore", "webhooks", "--to", "1m", ok=False)
    assert "Aborted" in recoverable.say("restore", "webhooks", "--to", "1m", status=1)
    assert restored(recoverable) == []


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("nowhere", "--to", "1m"), "there are backlog, broker, reputation, webhooks"),
        (("webhooks", "--to", "yesterday"), "--to 'yesterday' is not a time"),
        (("webhooks", "--to", "40d"), "tables can be restored for 35 days"),
        (("webhooks", "--to", "2999-01-01T00:00Z"), "lies in the future"),
        (("reputation", "--to", "1m"), "point-in-time recovery of reputation is off"),
        (("webhooks", "--to", "1m", "--most", "-1"), "above --most -1"),
    ],
)
def test_what_cannot_be_restored_is_refused_with_the_reason(recoverable: Ops, words: tuple[str, ...], why: str) -> None:
    """Before anything is made."""
    assert why in recoverable.say("restore", *words, "--yes", status=1)
    assert restored(recoverable) == []


def test_a_moment_outside_the_window_is_refused_with_the_window() -> None:
    """As DynamoDB gives it."""

    class Client:
        def describe_continuous_backups(self, **_: Any) -> Any:
            window = {"EarliestRestorableDateTime": NOW - timedelta(days=1), "LatestRestorableDateTime": NOW}
            recovery = {"PointInTimeRecoveryStatus": "ENABLED", **window}
            return {"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": recovery}}

    with pytest.raises(table.NotRestorable, match="from 2026-11-20T05:00:00Z to 2026-11-21T05:00:00Z"):
        table.plan(Client(), "webhooks", to=NOW - timedelta(days=2), now=NOW)


def test_the_estimate_covers_the_restore_and_one_scan_of_each_table() -> None:
    """A table of 10 GB."""

    class Client:
        def describe_continuous_backups(self, **_: Any) -> Any:
            recovery = {"PointInTimeRecoveryStatus": "ENABLED"}
            return {"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": recovery}}

        def describe_table(self, **_: Any) -> Any:
            return {"Table": {"TableSizeBytes": 10_000_000_000, "ItemCount": 7}}

    planned = table.plan(Client(), "webhooks", to=NOW, now=NOW)
    assert planned.dollars == pytest.approx(10 * 0.15 + 2 * 0.125 * 10_000_000_000 / 8_192 / 1_000_000)
    assert planned.items == 7


def test_the_comparison_tells_what_changed_and_what_is_gone(recoverable: Ops) -> None:
    """Since the moment of the restored table."""
    client: DynamoDBClient = recoverable.dynamodb
    said = recoverable.run("restore", "broker", "--to", "1m", "--yes")
    for number in range(4):
        client.put_item(TableName=said["restored"], Item=to_item({"pk": f"new{number}", "sk": "a", "value": 1}))
    client.put_item(TableName="broker", Item=to_item({"pk": "new0", "sk": "a", "value": 1}))
    client.put_item(TableName="broker", Item=to_item({"pk": "new1", "sk": "a", "value": 2}))
    found = comparison.compare(client, said["restored"], "broker", sample=500, progress=lambda _: None)
    assert (found.restored, found.live) == (said["items"]["restored"] + 4, said["items"]["live"] + 2)
    assert (found.same, found.changed, found.missing) == (said["items"]["same"] + 1, 1, 2)
    assert found.missing_keys == ("new2 a", "new3 a")


def test_the_sample_is_bounded(recoverable: Ops) -> None:
    """Whatever the table holds."""
    client: DynamoDBClient = recoverable.dynamodb
    for number in range(50):
        client.put_item(TableName="webhooks", Item=to_item({"instance_id": f"n{number}", "item": "a"}))
    assert comparison.compare(client, "webhooks", "webhooks", sample=9, progress=lambda _: None).sampled == 9


@pytest.mark.parametrize("step", ["wait", "compare"])
def test_an_interruption_says_what_is_left_and_how_to_remove_it(
    recoverable: Ops, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """While it waits for DynamoDB, and while it compares."""

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, step, interrupted)
    said = recoverable.run("restore", "webhooks", "--to", "1m", "--yes", ok=False)
    (left,) = restored(recoverable)
    assert f"aws dynamodb delete-table --table-name {left}" in said


def test_waiting_shows_progress_until_the_table_can_be_read() -> None:
    """DynamoDB takes minutes to hours."""
    states = iter(["CREATING", "CREATING", "ACTIVE"])

    class Client:
        def describe_table(self, **_: Any) -> Any:
            return {"Table": {"TableStatus": next(states)}}

    said: list[str] = []
    table.wait(Client(), "t", progress=said.append, sleep=lambda _: None)
    assert len(said) == 2


def test_the_switch_works_under_the_same_name(recoverable: Ops) -> None:
    """The steps that `restore` prints, as far as moto goes: backup, delete, restore from the backup, TTL, recovery."""
    client: Any = recoverable.dynamodb
    said = recoverable.run("restore", "broker", "--to", "1m", "--yes")
    before = client.scan(TableName="broker")["Items"]
    arn = client.create_backup(TableName=said["restored"], BackupName="switch")["BackupDetails"]["BackupArn"]
    client.update_table(TableName="broker", DeletionProtectionEnabled=False)
    client.delete_table(TableName="broker")
    client.restore_table_from_backup(TargetTableName="broker", BackupArn=arn)
    client.update_time_to_live(
        TableName="broker", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"}
    )
    assert client.scan(TableName="broker")["Items"] == before
    assert recoverable.run("instances", "list")[0]["instance"] == "i1"
