"""Parts of the broker table's transactions: records, members of organizations, and lists of unfinished work."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from lambdas.aws.dynamodb.attribute_values import new_item, to_item
from lambdas.domain.tenants.instance import Binding, BindingState, Instance, OperationKind

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

Record = TypeVar("Record", Instance, Binding)

TOMBSTONE_FOR = timedelta(days=30)  # a platform polls for a week at most (maximum_polling_duration)
INTENTS = "intents"
OPERATIONS = "operations"
ORGANIZATIONS = "organizations"


class Actions:
    """Writes to one table, each with its condition."""

    def __init__(self, table: str) -> None:
        self._table = table

    def put_record(self, key: dict[str, str], record: Record, ended: datetime | None) -> "TransactWriteItemTypeDef":
        """A record, on condition that nobody wrote it since it was read; *ended* makes it a tombstone."""
        item: dict[str, Any] = {
            **key,
            "record": msgspec.json.encode(as_stored(record)).decode(),
            "version": record.version,
        }
        if ended is not None:
            item["expires_at"] = int((ended + TOMBSTONE_FOR).timestamp())
        condition = "attribute_not_exists(pk)" if record.version == 1 else "version = :read"
        values = {} if record.version == 1 else to_item({":read": record.version - 1})
        put: dict[str, Any] = {"TableName": self._table, "Item": new_item(item), "ConditionExpression": condition}
        if values:
            put["ExpressionAttributeValues"] = values
        return {"Put": put}  # type: ignore[typeddict-item]

    def listing(self, instance: Instance) -> "TransactWriteItemTypeDef":
        """The instance's entry in the list of operations that have not ended."""
        key = {"pk": OPERATIONS, "sk": instance.id}
        if not instance.busy:
            return {"Delete": {"TableName": self._table, "Key": to_item(key)}}
        operation = instance.operation
        moments = {"started_at": operation.started_at.isoformat(), "touched_at": operation.touched_at.isoformat()}
        item = {**key, **moments}
        return {"Put": {"TableName": self._table, "Item": new_item(item)}}

    def join_organization(self, instance: Instance, room: int) -> "TransactWriteItemTypeDef":
        """Adds the instance to its organization, which may have up to *room*."""
        return {
            "Update": {
                "TableName": self._table,
                "Key": to_item({"pk": ORGANIZATIONS, "sk": instance.organization_guid}),
                "UpdateExpression": "ADD members :ids",
                "ConditionExpression": (
                    "attribute_not_exists(members) OR contains(members, :id) OR size(members) < :room"
                ),
                "ExpressionAttributeValues": to_item({":ids": {instance.id}, ":id": instance.id, ":room": room}),
            }
        }

    def leave_organization(self, instance: Instance) -> "TransactWriteItemTypeDef":
        """Removes the instance from its organization."""
        return {
            "Update": {
                "TableName": self._table,
                "Key": to_item({"pk": ORGANIZATIONS, "sk": instance.organization_guid}),
                "UpdateExpression": "DELETE members :ids",
                "ExpressionAttributeValues": to_item({":ids": {instance.id}}),
            }
        }

    def binding_claim(self, binding: Binding) -> "TransactWriteItemTypeDef":
        """Takes the binding's id for its instance, or gives it back."""
        key = {"pk": f"binding#{binding.id}", "sk": "claim"}
        condition: dict[str, Any] = {
            "TableName": self._table,
            "ConditionExpression": "attribute_not_exists(pk) OR instance_id = :instance",
            "ExpressionAttributeValues": to_item({":instance": binding.instance_id}),
        }
        if binding.state is BindingState.GONE:
            return {"Delete": {**condition, "Key": to_item(key)}}  # type: ignore[typeddict-item]
        return {"Put": {**condition, "Item": new_item({**key, "instance_id": binding.instance_id})}}  # type: ignore[typeddict-item]

    def intent(self, binding: Binding) -> "TransactWriteItemTypeDef":
        """The binding's entry in the list of binds and unbinds that have not ended."""
        key = {"pk": INTENTS, "sk": binding.id}
        if binding.state not in (BindingState.INTENT, BindingState.LEAVING):
            return {"Delete": {"TableName": self._table, "Key": to_item(key)}}
        since = binding.busy_until or binding.created_at
        item = {**key, "instance_id": binding.instance_id, "created_at": since.isoformat()}
        return {"Put": {"TableName": self._table, "Item": new_item(item)}}


def instance_key(instance_id: str) -> dict[str, str]:
    """The key of an instance's record."""
    return {"pk": f"instance#{instance_id}", "sk": "instance"}


def binding_key(instance_id: str, binding_id: str) -> dict[str, str]:
    """The key of a binding's record."""
    return {"pk": f"instance#{instance_id}", "sk": f"binding#{binding_id}"}


def as_stored(record: Record) -> Record:
    """1.0.0 does not know operations of kind `release` and could not read the instance: stored as an `update`.

    If 1.0.0 continues one after a rollback, it updates nothing, and the domain can be released again afterwards.
    """
    if isinstance(record, Instance) and record.operation.kind is OperationKind.RELEASE:
        return replace(record, operation=replace(record.operation, kind=OperationKind.UPDATE))
    return record


def as_read(record: Record) -> Record:
    """The reverse of `as_stored`: an operation's id begins with its kind."""
    if isinstance(record, Instance) and record.operation.id.startswith(f"{OperationKind.RELEASE}-"):
        return replace(record, operation=replace(record.operation, kind=OperationKind.RELEASE))
    return record
