"""Sending statuses in the reputation table: the state, what is pending, who is watched, and what happened before.

    instance_id | item             |
    ------------+------------------+--------------------------------------------------------------------------
    <instance>  | sending_status   | state, since, cause, version, baseline, until, probation_until; while a
                |                  | transition is pending: pending (its JSON), pending_id, done (steps),
                |                  | claimed_by, claimed_until (epoch, s)
    <instance>  | history#<when>   | transition (JSON): who moved it, when and why; kept 400 days
    #watch      | <instance>       | an instance that is undecided, or was moved and is not healthy again (moved_by)

A claim writes all three in one transaction, on condition that the version is the one it was decided upon, and with them
the mark of a pause (lambdas/aws/dynamodb/reputation/pause_marks.py). A claim by HANDED_OVER wakes the reputation
function, which acts.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import ClientError

from lambdas.aws.dynamodb.attribute_values import from_item, new_item, to_item
from lambdas.aws.dynamodb.reputation.pause_marks import mark_item, mark_key
from lambdas.aws.errors import ignoring
from lambdas.domain import schema
from lambdas.domain.reputation.evaluation import SendingState
from lambdas.domain.reputation.sending_status import (
    HANDED_OVER,
    LEASE,
    STATUS_ITEM,
    Cause,
    Pending,
    SendingStatus,
    Transition,
    TransitionStep,
    mark_of,
)

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

HISTORY_PREFIX = "history#"
WATCH = "#watch"  # no instance's id holds a hash sign
_HISTORY_KEPT = timedelta(days=400)  # a year of audits, and a margin
_CONDITION = "ConditionalCheckFailedException"
_LOST = frozenset({"ConditionalCheckFailed", "TransactionConflict"})
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Transition).decode


class SendingStatusTable:
    """Reads and changes sending statuses."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._table_name = table_name

    def load(self, instance_id: str) -> SendingStatus:
        """The instance's sending status. Defaults to healthy if none was ever recorded."""
        answer = self._client.get_item(
            TableName=self._table_name, Key=_key(instance_id, STATUS_ITEM), ConsistentRead=True
        )
        return _status(instance_id, from_item(answer.get("Item", {})))

    def claim(
        self, status: SendingStatus, transition: Transition, *, claimer: str, baseline: datetime | None, now: datetime
    ) -> bool:
        """Change *status* by *transition*, to be enforced by *claimer*; False if another transition was claimed first.

        *baseline* is the one to store. A transition that was still pending is superseded. With HANDED_OVER as
        *claimer* the reputation function enforces it.
        """
        watched = {"instance_id": WATCH, "item": status.instance_id, "moved_by": transition.id}
        try:
            self._client.transact_write_items(
                TransactItems=[
                    self._moved(status, transition, claimer, baseline, now),
                    self._put(new_item(watched)),
                    self._put(new_item(_history(transition))),
                    *self._mark(transition),
                ]
            )
        except ClientError as error:
            if _lost(error):
                return False
            raise
        return True

    def take_over(self, pending: Pending, *, claimer: str, now: datetime) -> bool:
        """Let *claimer* enforce another's claim; False if a third claimer was first or it is done."""
        return self._update(
            pending,
            "SET claimed_by = :claimer, claimed_until = :until",
            {":claimer": claimer, ":until": _epoch(now + LEASE), ":was": _epoch(pending.claimed_until)},
            also="claimed_until = :was",
        )

    def step_done(self, pending: Pending, step: TransitionStep) -> bool:
        """Record that *step* is done; False if the transition was superseded."""
        return self._update(pending, "SET done = list_append(done, :step)", {":step": [step.value]})

    def release(self, pending: Pending, *, now: datetime) -> None:
        """Release the claim after a failure, so that others can take it over at once."""
        self._update(pending, "SET claimed_until = :now", {":now": _epoch(now)})

    def finish(self, pending: Pending) -> None:
        """Record that every step is done. A healthy instance is no longer watched. Does nothing if it was
        superseded.
        """
        done: TransactWriteItemTypeDef = {
            "Update": {
                "TableName": self._table_name,
                "Key": _key(pending.transition.instance_id, STATUS_ITEM),
                "UpdateExpression": "REMOVE pending, pending_id, done, claimed_by, claimed_until",
                "ConditionExpression": "pending_id = :id",
                "ExpressionAttributeValues": to_item({":id": pending.transition.id}),
            }
        }
        unwatched: TransactWriteItemTypeDef = {
            "Delete": {"TableName": self._table_name, "Key": _key(WATCH, pending.transition.instance_id)}
        }
        healthy = pending.transition.after is SendingState.HEALTHY
        try:
            self._client.transact_write_items(TransactItems=[done, unwatched] if healthy else [done])
        except ClientError as error:
            if not _lost(error):
                raise

    def watch(self, instance_id: str) -> None:
        """Have reconciliation evaluate the instance: its rates are bad, but its volume is too low for a decision."""
        with ignoring(_CONDITION):
            self._client.put_item(
                TableName=self._table_name,
                Item=new_item({"instance_id": WATCH, "item": instance_id}),
                ConditionExpression="attribute_not_exists(instance_id)",
            )

    def unwatch(self, instance_id: str) -> None:
        """Stop watching an instance that was only undecided; one with a transition meanwhile stays watched."""
        with ignoring(_CONDITION):
            self._client.delete_item(
                TableName=self._table_name,
                Key=_key(WATCH, instance_id),
                ConditionExpression="attribute_not_exists(moved_by)",
            )

    def watched(self) -> list[str]:
        """The instances that are not healthy, are undecided, or have a pending transition."""
        return [item["item"] for item in self._query(WATCH, "")]

    def history(self, instance_id: str) -> list[Transition]:
        """The instance's transitions, newest first."""
        return [_decode(item["transition"]) for item in self._query(instance_id, HISTORY_PREFIX)]

    def forget(self, instance_id: str) -> None:
        """Stop evaluating and watching a deleted instance. Its history is kept."""
        self._client.delete_item(TableName=self._table_name, Key=_key(instance_id, STATUS_ITEM))
        self._client.delete_item(TableName=self._table_name, Key=_key(WATCH, instance_id))

    def _moved(
        self, status: SendingStatus, transition: Transition, claimer: str, baseline: datetime | None, now: datetime
    ) -> "TransactWriteItemTypeDef":
        values: dict[str, Any] = {
            "state": transition.after.value,
            "since": transition.at.isoformat(),
            "cause": transition.cause.value,
            "version": status.version + 1,
            "pending": _encode(transition).decode(),
            "pending_id": transition.id,
            "done": [],
            "claimed_by": claimer,
            "claimed_until": _epoch(now if claimer == HANDED_OVER else now + LEASE),
            "baseline": _written(baseline),
            "until": _written(transition.until),
            "probation_until": _written(transition.probation_until),
            schema.ATTRIBUTE: schema.WRITES,
        }
        kept = {name: value for name, value in values.items() if value is not None}
        gone = [f"#{name}" for name in values if name not in kept]
        return {
            "Update": {
                "TableName": self._table_name,
                "Key": _key(status.instance_id, STATUS_ITEM),
                "UpdateExpression": "SET "
                + ", ".join(f"#{name} = :{name}" for name in kept)
                + (f" REMOVE {', '.join(gone)}" if gone else ""),
                "ConditionExpression": "#version = :was" if status.version else "attribute_not_exists(#version)",
                "ExpressionAttributeNames": {f"#{name}": name for name in values},
                "ExpressionAttributeValues": to_item(
                    {f":{name}": value for name, value in kept.items()}
                    | ({":was": status.version} if status.version else {})
                ),
            }
        }

    def _mark(self, transition: Transition) -> "Iterator[TransactWriteItemTypeDef]":
        """Part of the same transaction, so that no crash leaves a pause without its mark."""
        if transition.marks:
            yield self._put(mark_item(mark_of(transition, since=transition.at)))
        if transition.lifts_mark:
            yield {"Delete": {"TableName": self._table_name, "Key": mark_key(transition.domain)}}

    def _put(self, item: Any) -> "TransactWriteItemTypeDef":
        return {"Put": {"TableName": self._table_name, "Item": item}}

    def _update(self, pending: Pending, expression: str, values: dict[str, Any], also: str = "") -> bool:
        condition = " AND ".join(filter(None, ("pending_id = :id", also)))
        try:
            self._client.update_item(
                TableName=self._table_name,
                Key=_key(pending.transition.instance_id, STATUS_ITEM),
                UpdateExpression=expression,
                ConditionExpression=condition,
                ExpressionAttributeValues=to_item({**values, ":id": pending.transition.id}),
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != _CONDITION:
                raise
            return False
        return True

    def _query(self, instance_id: str, prefix: str) -> Iterator[dict[str, Any]]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table_name,
            KeyConditionExpression="instance_id = :instance AND #item BETWEEN :first AND :last",
            ExpressionAttributeNames={"#item": "item"},
            ExpressionAttributeValues=to_item(
                {":instance": instance_id, ":first": prefix or " ", ":last": prefix + "~"}
            ),
            ScanIndexForward=False,
            ConsistentRead=True,
        )
        return (from_item(item) for page in pages for item in page["Items"])


def _key(instance_id: str, item: str) -> Any:
    return to_item({"instance_id": instance_id, "item": item})


def _history(transition: Transition) -> dict[str, Any]:
    return {
        "instance_id": transition.instance_id,
        "item": f"{HISTORY_PREFIX}{transition.at.isoformat()}",
        "transition": _encode(transition).decode(),
        "expires_at": _epoch(transition.at + _HISTORY_KEPT),
    }


def _status(instance_id: str, item: dict[str, Any]) -> SendingStatus:
    return SendingStatus(
        instance_id=instance_id,
        state=SendingState(item.get("state", SendingState.HEALTHY)),
        since=_moment(item.get("since")),
        version=item.get("version", 0),
        baseline=_moment(item.get("baseline")),
        pending=_pending(item) if "pending" in item else None,
        cause=Cause(item["cause"]) if "cause" in item else None,
        until=_moment(item.get("until")),
        probation_until=_moment(item.get("probation_until")),
    )


def _pending(item: dict[str, Any]) -> Pending:
    return Pending(
        transition=_decode(item["pending"]),
        done=frozenset(map(TransitionStep, item["done"])),
        claimed_by=item["claimed_by"],
        claimed_until=datetime.fromtimestamp(item["claimed_until"], tz=UTC),
    )


def _moment(written: str | None) -> datetime | None:
    return datetime.fromisoformat(written) if written else None


def _written(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _epoch(moment: datetime) -> int:
    return int(moment.timestamp())


def _lost(error: ClientError) -> bool:
    if error.response["Error"]["Code"] != "TransactionCanceledException":
        return False
    reasons: Any = error.response.get("CancellationReasons", [])
    return bool(_LOST & {reason.get("Code") for reason in reasons})
