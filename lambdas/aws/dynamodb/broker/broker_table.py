"""The broker's table: what it remembers of instances, bindings and domains.

    pk              | sk                 |
    ----------------+--------------------+--------------------------------------------------------------------
    instance#<id>   | instance           | record (JSON of `Instance`), version, expires_at once it is a tombstone
    instance#<id>   | binding#<id>       | record (JSON of `Binding`), version, expires_at once it is a tombstone
    binding#<id>    | claim              | instance_id: binding ids are unique over all instances (IAM user names)
    domains         | <reversed labels>  | instance_id, organization_guid: who holds the domain, since claimed_at;
                    |                    | checked_at, verified_at: when SES was asked, and said it is verified;
                    |                    | with expires_at (and an empty instance_id): reserved for the organization
    former#<labels> | <organization>     | claimed_at: since when it claimed the domain that it gave back unverified,
                    |                    | expires_at
    organizations   | <organization>     | members (set): ids of its instances, to bound how many there are
    intents         | <binding id>       | instance_id, created_at: binds and unbinds that have not ended, for the sweep
    operations      | <instance id>      | started_at, touched_at: operations that have not ended, for the sweep

A record is written whole, on condition that its `version` is still the one that was read: two writers never both win.
`members` are the instances that exist. The reputation table lists an organization's instances as well
(organization_table) and means others: those with recent feedback, deleted ones included, whose counters are summed.
Claims and the two work lists change in the same transaction as the record they belong to.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from botocore.exceptions import ClientError

from lambdas.aws.dynamodb.attribute_values import from_item, new_item, to_item
from lambdas.aws.errors import ignoring
from lambdas.domain.errors import DomainTaken, OrganizationFull, VersionConflict
from lambdas.domain.tenants.domain_claim import REMEMBERED_FOR, RESERVED_FOR, Claim
from lambdas.domain.tenants.domain_names import parents, reversed_labels, unreversed
from lambdas.domain.tenants.instance import (
    Binding,
    BindingState,
    Instance,
    InstanceState,
    OperationKind,
    Unfinished,
)

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

T = TypeVar("T", Instance, Binding)

TOMBSTONE_FOR = timedelta(days=30)  # a platform polls for a week at most (maximum_polling_duration)
DOMAINS = "domains"
INTENTS = "intents"
OPERATIONS = "operations"
ORGANIZATIONS = "organizations"


class BrokerTable:
    """Reads and writes the broker's records; reads are consistent."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    # -- instances -----------------------------------------------------------------------------------------------

    def instance(self, instance_id: str) -> Instance | None:
        """The instance, tombstones included; None when it was never seen."""
        return self._read(_instance_key(instance_id), Instance)

    def instances(self) -> Iterator[Instance]:
        """All instances, without tombstones. Reads the whole table: for operators only."""
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._table,
            FilterExpression="sk = :instance",
            ExpressionAttributeValues=to_item({":instance": "instance"}),
        )
        for page in pages:
            for item in page["Items"]:
                instance = _as_read(msgspec.json.decode(from_item(item)["record"], type=Instance))
                if instance.state is not InstanceState.GONE:
                    yield instance

    def save_instance(
        self,
        instance: Instance,
        *,
        claim: str = "",
        release: str = "",
        room: int = 0,
        leave: bool = False,
        reserve: str = "",
    ) -> Instance:
        """Write *instance* if nobody did since it was read, and return it with its new version.

        In the same transaction *claim* takes a domain for it and *release* gives one back; with *room*, the instance
        becomes a member of its organization, which may have so many, and with *leave* it is one no longer. *reserve*
        is the organization that alone may claim the released domain for RESERVED_FOR. Raises
        VersionConflict, OrganizationFull, and DomainTaken when the domain or one above it is held by another
        organization or, itself, by another instance.
        """
        saved = replace(instance, version=instance.version + 1)
        actions = [self._put_record(_instance_key(saved.id), saved, _ended(saved)), self._listing(saved)]
        if leave:
            actions.append(self._leave_organization(saved))
        if room:
            actions.append(self._join_organization(saved, room))
        domain_actions = [*self._claim(saved, claim)] if claim else []
        if release:
            domain_actions.append(
                self._reserve(saved, release, reserve) if reserve else self._release(saved.id, release)
            )
            domain_actions.extend(self._remember(saved, release))
        organization_at = len(actions) - 1 if room else None
        self._transact(actions + domain_actions, domains_from=len(actions), organization_at=organization_at)
        return saved

    def members(self, organization_guid: str) -> frozenset[str]:
        """The ids of the organization's instances."""
        item = self._get({"pk": ORGANIZATIONS, "sk": organization_guid})
        return frozenset() if item is None else item.get("members", frozenset())

    def claims_related(self, domain: str) -> tuple[Claim, ...]:
        """The claims on *domain*, on those above it and on those below it."""
        found = list(self._claims_below(domain))
        for parent in parents(domain):
            item = self._get({"pk": DOMAINS, "sk": reversed_labels(parent)})
            if item is not None:
                found.append(_claim_of(item))
        return tuple(found)

    def claims(self) -> Iterator[Claim]:
        """All claims, reservations included: for operators only."""
        return map(_claim_of, self._query(DOMAINS))

    def note_claim(self, claim: Claim, *, verified: bool, at: datetime) -> None:
        """Remember what SES says of a claim's domain, if the claim is still the same instance's."""
        with ignoring("ConditionalCheckFailedException"):
            self._client.update_item(
                TableName=self._table,
                Key=to_item({"pk": DOMAINS, "sk": reversed_labels(claim.domain)}),
                UpdateExpression="SET checked_at = :at" + (", verified_at = :at" if verified else ""),
                ConditionExpression="instance_id = :instance",
                ExpressionAttributeValues=to_item({":at": at.isoformat(), ":instance": claim.instance_id}),
            )

    def unfinished(self) -> tuple[Unfinished, ...]:
        """The operations that have not ended, from their list: as many items as there are operations."""
        return tuple(
            Unfinished(
                instance_id=item["sk"],
                started_at=datetime.fromisoformat(item.get("started_at", item["touched_at"])),
                touched_at=datetime.fromisoformat(item["touched_at"]),
            )
            for item in self._query(OPERATIONS)
        )

    # -- bindings ------------------------------------------------------------------------------------------------

    def binding(self, instance_id: str, binding_id: str) -> Binding | None:
        """The binding of this instance, tombstones included; None when this instance never had it."""
        return self._read(_binding_key(instance_id, binding_id), Binding)

    def instance_of_binding(self, binding_id: str) -> str | None:
        """The instance that the binding id belongs to; None when it is free."""
        item = self._get({"pk": f"binding#{binding_id}", "sk": "claim"})
        return None if item is None else str(item["instance_id"])

    def save_binding(self, binding: Binding, *, instances: Sequence[Instance] = ()) -> Binding:
        """Write *binding* and *instances* in one transaction, each if nobody did since it was read.

        An intent takes the binding id, a tombstone gives it back. Raises VersionConflict.
        """
        saved = replace(binding, version=binding.version + 1)
        gone = saved.state is BindingState.GONE
        ended = (saved.busy_until or saved.created_at) if gone else None
        actions = [self._put_record(_binding_key(saved.instance_id, saved.id), saved, ended)]
        actions += [
            self._put_record(_instance_key(instance.id), replace(instance, version=instance.version + 1), None)
            for instance in instances
        ]
        actions += [self._binding_claim(saved), self._intent(saved)]
        self._transact(actions, domains_from=len(actions))
        return saved

    def stale_intents(self, *, before: datetime) -> tuple[tuple[str, str], ...]:
        """(instance id, binding id) of each bind or unbind begun before *before* that has not ended."""
        return tuple(
            (item["instance_id"], item["sk"])
            for item in self._query(INTENTS)
            if datetime.fromisoformat(item["created_at"]) < before
        )

    # -- parts of transactions -----------------------------------------------------------------------------------

    def _put_record(self, key: dict[str, str], record: T, ended: datetime | None) -> "TransactWriteItemTypeDef":
        item: dict[str, Any] = {
            **key,
            "record": msgspec.json.encode(_as_stored(record)).decode(),
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

    def _listing(self, instance: Instance) -> "TransactWriteItemTypeDef":
        key = {"pk": OPERATIONS, "sk": instance.id}
        if not instance.busy:
            return {"Delete": {"TableName": self._table, "Key": to_item(key)}}
        operation = instance.operation
        moments = {"started_at": operation.started_at.isoformat(), "touched_at": operation.touched_at.isoformat()}
        item = {**key, **moments}
        return {"Put": {"TableName": self._table, "Item": new_item(item)}}

    def _join_organization(self, instance: Instance, room: int) -> "TransactWriteItemTypeDef":
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

    def _leave_organization(self, instance: Instance) -> "TransactWriteItemTypeDef":
        return {
            "Update": {
                "TableName": self._table,
                "Key": to_item({"pk": ORGANIZATIONS, "sk": instance.organization_guid}),
                "UpdateExpression": "DELETE members :ids",
                "ExpressionAttributeValues": to_item({":ids": {instance.id}}),
            }
        }

    def _claim(self, instance: Instance, domain: str) -> "Iterator[TransactWriteItemTypeDef]":
        yield {
            "Put": {
                "TableName": self._table,
                "Item": new_item(
                    {
                        "pk": DOMAINS,
                        "sk": reversed_labels(domain),
                        "instance_id": instance.id,
                        "organization_guid": instance.organization_guid,
                        "claimed_at": self._claimed_at(instance, domain),
                    }
                ),
                "ConditionExpression": (
                    "attribute_not_exists(pk) OR instance_id = :instance"
                    " OR (attribute_exists(expires_at) AND (organization_guid = :organization OR expires_at <= :now))"
                ),
                "ExpressionAttributeValues": to_item(
                    {
                        ":instance": instance.id,
                        ":organization": instance.organization_guid,
                        ":now": int(instance.operation.started_at.timestamp()),
                    }
                ),
            }
        }
        for parent in parents(domain):
            yield {
                "ConditionCheck": {
                    "TableName": self._table,
                    "Key": to_item({"pk": DOMAINS, "sk": reversed_labels(parent)}),
                    "ConditionExpression": ("attribute_not_exists(verified_at) OR organization_guid = :organization"),
                    "ExpressionAttributeValues": to_item({":organization": instance.organization_guid}),
                }
            }

    def _claimed_at(self, instance: Instance, domain: str) -> str:
        """Since when the organization claims *domain*: ISO 8601, that of a former claim if it is remembered."""
        now = instance.operation.started_at
        former = self._get(_former_key(domain, instance.organization_guid))
        return str(former["claimed_at"]) if former and former["expires_at"] > now.timestamp() else now.isoformat()

    def _remember(self, instance: Instance, domain: str) -> "Iterator[TransactWriteItemTypeDef]":
        """An unverified claim that is given back; the time of a verified one begins anew."""
        claim = self._get({"pk": DOMAINS, "sk": reversed_labels(domain)}) or {}
        if "verified_at" in claim or "claimed_at" not in claim:
            return
        until = instance.operation.touched_at + REMEMBERED_FOR
        key = _former_key(domain, instance.organization_guid)
        item = {**key, "claimed_at": claim["claimed_at"], "expires_at": int(until.timestamp())}
        yield {"Put": {"TableName": self._table, "Item": new_item(item)}}

    def _release(self, instance_id: str, domain: str) -> "TransactWriteItemTypeDef":
        return {
            "Delete": {
                "TableName": self._table,
                "Key": to_item({"pk": DOMAINS, "sk": reversed_labels(domain)}),
                "ConditionExpression": "attribute_not_exists(pk) OR instance_id = :instance",
                "ExpressionAttributeValues": to_item({":instance": instance_id}),
            }
        }

    def _reserve(self, instance: Instance, domain: str, organization_guid: str) -> "TransactWriteItemTypeDef":
        until = instance.operation.touched_at + RESERVED_FOR
        return {
            "Put": {
                "TableName": self._table,
                "Item": new_item(
                    {
                        "pk": DOMAINS,
                        "sk": reversed_labels(domain),
                        "instance_id": "",  # 1.0.0 reads it, and refuses the domain to everybody
                        "organization_guid": organization_guid,
                        "expires_at": int(until.timestamp()),
                    }
                ),
                "ConditionExpression": "attribute_not_exists(pk) OR instance_id = :instance",
                "ExpressionAttributeValues": to_item({":instance": instance.id}),
            }
        }

    def _binding_claim(self, binding: Binding) -> "TransactWriteItemTypeDef":
        key = {"pk": f"binding#{binding.id}", "sk": "claim"}
        condition: dict[str, Any] = {
            "TableName": self._table,
            "ConditionExpression": "attribute_not_exists(pk) OR instance_id = :instance",
            "ExpressionAttributeValues": to_item({":instance": binding.instance_id}),
        }
        if binding.state is BindingState.GONE:
            return {"Delete": {**condition, "Key": to_item(key)}}  # type: ignore[typeddict-item]
        return {"Put": {**condition, "Item": new_item({**key, "instance_id": binding.instance_id})}}  # type: ignore[typeddict-item]

    def _intent(self, binding: Binding) -> "TransactWriteItemTypeDef":
        key = {"pk": INTENTS, "sk": binding.id}
        if binding.state not in (BindingState.INTENT, BindingState.LEAVING):
            return {"Delete": {"TableName": self._table, "Key": to_item(key)}}
        since = binding.busy_until or binding.created_at
        item = {**key, "instance_id": binding.instance_id, "created_at": since.isoformat()}
        return {"Put": {"TableName": self._table, "Item": new_item(item)}}

    # -- calls ---------------------------------------------------------------------------------------------------

    def _transact(
        self,
        actions: "Sequence[TransactWriteItemTypeDef]",
        *,
        domains_from: int,
        organization_at: int | None = None,
    ) -> None:
        try:
            self._client.transact_write_items(TransactItems=actions)
        except ClientError as error:
            if error.response["Error"]["Code"] != "TransactionCanceledException":
                raise
            reasons = [reason.get("Code") for reason in error.response.get("CancellationReasons", [])]
            if "ConditionalCheckFailed" in reasons[domains_from:]:
                raise DomainTaken from error
            if organization_at is not None and reasons[organization_at] == "ConditionalCheckFailed":
                raise OrganizationFull from error
            raise VersionConflict from error

    def _read(self, key: dict[str, str], kind: "type[T]") -> "T | None":
        item = self._get(key)
        return None if item is None else _as_read(msgspec.json.decode(item["record"], type=kind))

    def _get(self, key: dict[str, str]) -> dict[str, Any] | None:
        answer = self._client.get_item(TableName=self._table, Key=to_item(key), ConsistentRead=True)
        return from_item(answer["Item"]) if "Item" in answer else None

    def _query(self, pk: str, *, prefix: str = "") -> Iterator[dict[str, Any]]:
        condition, values = "pk = :pk", {":pk": pk}
        if prefix:
            condition, values = "pk = :pk AND begins_with(sk, :prefix)", {":pk": pk, ":prefix": prefix}
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=to_item(values),
            ConsistentRead=True,
        )
        for page in pages:
            yield from map(from_item, page["Items"])

    def _claims_below(self, domain: str) -> Iterator[Claim]:
        """*domain*'s own claim and those of all below it."""
        return map(_claim_of, self._query(DOMAINS, prefix=reversed_labels(domain)))


def _instance_key(instance_id: str) -> dict[str, str]:
    return {"pk": f"instance#{instance_id}", "sk": "instance"}


def _binding_key(instance_id: str, binding_id: str) -> dict[str, str]:
    return {"pk": f"instance#{instance_id}", "sk": f"binding#{binding_id}"}


def _former_key(domain: str, organization_guid: str) -> dict[str, str]:
    return {"pk": f"former#{reversed_labels(domain)}", "sk": organization_guid}


def _ended(instance: Instance) -> datetime | None:
    return instance.operation.touched_at if instance.state is InstanceState.GONE else None


def _as_stored(record: T) -> T:
    """1.0.0 does not know operations of kind `release` and could not read the instance: stored as an `update`.

    If 1.0.0 continues one after a rollback, it updates nothing, and the domain can be released again afterwards.
    """
    if isinstance(record, Instance) and record.operation.kind is OperationKind.RELEASE:
        return replace(record, operation=replace(record.operation, kind=OperationKind.UPDATE))
    return record


def _as_read(record: T) -> T:
    """The reverse of `_as_stored`: an operation's id begins with its kind."""
    if isinstance(record, Instance) and record.operation.id.startswith(f"{OperationKind.RELEASE}-"):
        return replace(record, operation=replace(record.operation, kind=OperationKind.RELEASE))
    return record


def _claim_of(item: dict[str, Any]) -> Claim:
    expires_at = item.get("expires_at")
    return Claim(
        domain=unreversed(item["sk"]),
        instance_id=item.get("instance_id", ""),
        organization_guid=item["organization_guid"],
        verified="verified_at" in item,
        checked_at=_moment(item, "checked_at"),
        claimed_at=_moment(item, "claimed_at"),
        reserved_until=datetime.fromtimestamp(float(expires_at), UTC) if expires_at else None,
    )


def _moment(item: dict[str, Any], name: str) -> datetime | None:
    return datetime.fromisoformat(item[name]) if name in item else None
