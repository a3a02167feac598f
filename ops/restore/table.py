"""Restores a table beside the live one: what is possible, what it costs, and the wait until it can be read."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ops.restore.comparison import Progress, read_units

RESTORE_GB = 0.15  # $ per GB restored (us-east-1, https://aws.amazon.com/dynamodb/pricing/on-demand/)
READ_MILLION = 0.125  # $ per million read units on demand
POLL = 15.0  # s: a restore takes minutes to hours, whatever the table's size
_GB = 1_000_000_000


class NotRestorable(Exception):
    """The table cannot be restored to that moment; the message says what can be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a restore would do: `dollars` is the estimate of the restore and of reading both tables once."""

    source: str
    target: str
    to: datetime
    items: int
    size: int
    dollars: float


def plan(client: Any, source: str, *, to: datetime | None, now: datetime) -> Plan:
    """Check that *source* can be restored to *to* (None: the latest moment possible). Raises NotRestorable."""
    described = client.describe_continuous_backups(TableName=source)["ContinuousBackupsDescription"]
    recovery = described.get("PointInTimeRecoveryDescription", {})
    if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
        raise NotRestorable(f"point-in-time recovery of {source} is off; a deployment switches it on")
    earliest, latest = recovery.get("EarliestRestorableDateTime"), recovery.get("LatestRestorableDateTime")
    to = to or latest or now
    if (earliest and to < earliest) or (latest and to > latest):
        raise NotRestorable(f"{source} can be restored to a moment from {earliest:%FT%TZ} to {latest:%FT%TZ}")
    table = client.describe_table(TableName=source)["Table"]
    size = int(table.get("TableSizeBytes", 0))
    return Plan(
        source=source,
        target=f"{source}-at-{to:%Y%m%dT%H%M%SZ}-{now:%H%M%S}"[-255:],
        to=to,
        items=int(table.get("ItemCount", 0)),
        size=size,
        dollars=RESTORE_GB * size / _GB + 2 * READ_MILLION * read_units(size) / 1_000_000,
    )


def begin(client: Any, wanted: Plan) -> None:
    """Begin the restore. The new table has the live one's key, indexes and encryption."""
    client.restore_table_to_point_in_time(
        SourceTableName=wanted.source, TargetTableName=wanted.target, RestoreDateTime=wanted.to
    )


def wait(client: Any, table: str, *, progress: Progress, sleep: Callable[[float], None] = time.sleep) -> None:
    """Wait until *table* can be read."""
    waited = 0.0
    while (status := client.describe_table(TableName=table)["Table"]["TableStatus"]) != "ACTIVE":
        progress(f"{table} is {status} after {waited / 60:.0f} min; a restore takes minutes to hours")
        sleep(POLL)
        waited += POLL


def how_to_switch(wanted: Plan, *, stream: bool) -> list[str]:
    """The steps by which the restored items become the live ones, under the same name, so that no role changes."""
    live, restored = wanted.source, wanted.target
    steps = [
        "Stop what writes: `aws lambda put-function-concurrency --reserved-concurrent-executions 0 --function-name` "
        "for every function of the output Functions. Events wait in their queues; throttled ones go to the dead-letter "
        "queues after a day.",
        f"aws dynamodb create-backup --table-name {restored} --backup-name switch; note its BackupArn, and wait until "
        "`aws dynamodb describe-backup` says AVAILABLE.",
        f"aws dynamodb update-table --no-deletion-protection-enabled --table-name {live}; "
        f"aws dynamodb delete-table --table-name {live}. DynamoDB keeps a backup of it for 35 days.",
        f"aws dynamodb restore-table-from-backup --target-table-name {live} --backup-arn BACKUP-ARN; wait until "
        "it is ACTIVE. CloudFormation knows the table by its name: the stack, roles and functions need no change.",
        f"Set what a restore leaves out: `aws dynamodb update-time-to-live --table-name {live} "
        "--time-to-live-specification Enabled=true,AttributeName=expires_at`; `update-continuous-backups "
        "--point-in-time-recovery-specification PointInTimeRecoveryEnabled=true`; `update-table "
        "--deletion-protection-enabled`; the tags.",
    ]
    if stream:
        steps.append(
            f"aws dynamodb update-table --table-name {live} --stream-specification "
            "StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES; the stream has a new ARN, so make the reputation "
            "function's event source mapping again with it, as `aws lambda list-event-source-mappings` shows the old."
        )
    steps.append(
        "Start again: `aws lambda delete-function-concurrency --function-name` for every one of "
        "these functions; then `python -m ops doctor`."
    )
    return steps


def how_to_remove(table: str) -> str:
    """The command that removes the restored table."""
    return f"aws dynamodb delete-table --table-name {table}"
