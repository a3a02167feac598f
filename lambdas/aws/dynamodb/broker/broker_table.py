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
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import ClientError

from lambdas.aws.dynamodb.attribute_values import from_item, to_item
from lambdas.aws.dynamodb.broker.actions import (
    INTENTS,
    OPERATIONS,
    ORGANIZATIONS,
    Actions,
    Record,
    as_read,
    binding_key,
    instance_key,
)
from lambdas.aws.dynamodb.broker.domain_actions import DOMAINS, DomainActions, claim_of
from lambdas.aws.errors import ignoring
from lambdas.domain.errors import DomainTaken, OrganizationFull, VersionConflict
from lambdas.domain.tenants.domain_claim import Claim
from lambdas.domain.tenants.domain_names import parents, reversed_labels
from lambdas.domain.tenants.instance import (
    Binding,
    BindingState,
    Instance,
    InstanceState,
    Unfinished,
)

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef


class BrokerTable:
    """Reads and writes the broker's records; reads are consistent."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table
        self._actions = Actions(table)
        self._domains = DomainActions(table, self._get)

    # -- instances -----------------------------------------------------------------------------------------------

    def instance(self, instance_id: str) -> Instance | None:
        """The instance, tombstones included; None when it was never seen."""
        return self._read(instance_key(instance_id), Instance)

    def instances(self) -> Iterator[Instance]:
        """All instances, without tombstones. Reads the whole table: for operators only."""
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._table,
            FilterExpression="sk = :instance",
            ExpressionAttributeValues=to_item({":instance": "instance"}),
        )
        for page in pages:
            for item in page["Items"]:
                instance = as_read(msgspec.json.decode(from_item(item)["record"], type=Instance))
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
        actions = [self._actions.put_record(instance_key(saved.id), saved, _ended(saved)), self._actions.listing(saved)]
        if leave:
            actions.append(self._actions.leave_organization(saved))
        if room:
            actions.append(self._actions.join_organization(saved, room))
        domain_actions = [*self._domains.claim(saved, claim)] if claim else []
        if release:
            domain_actions.append(
                self._domains.reserve(saved, release, reserve) if reserve else self._domains.release(saved.id, release)
            )
            domain_actions.extend(self._domains.remember(saved, release))
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
                found.append(claim_of(item))
        return tuple(found)

    def claims(self) -> Iterator[Claim]:
        """All claims, reservations included: for operators only."""
        return map(claim_of, self._query(DOMAINS))

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
        return self._read(binding_key(instance_id, binding_id), Binding)

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
        actions = [self._actions.put_record(binding_key(saved.instance_id, saved.id), saved, ended)]
        actions += [
            self._actions.put_record(instance_key(instance.id), replace(instance, version=instance.version + 1), None)
            for instance in instances
        ]
        actions += [self._actions.binding_claim(saved), self._actions.intent(saved)]
        self._transact(actions, domains_from=len(actions))
        return saved

    def stale_intents(self, *, before: datetime) -> tuple[tuple[str, str], ...]:
        """(instance id, binding id) of each bind or unbind begun before *before* that has not ended."""
        return tuple(
            (item["instance_id"], item["sk"])
            for item in self._query(INTENTS)
            if datetime.fromisoformat(item["created_at"]) < before
        )

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

    def _read(self, key: dict[str, str], kind: "type[Record]") -> "Record | None":
        item = self._get(key)
        return None if item is None else as_read(msgspec.json.decode(item["record"], type=kind))

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
        return map(claim_of, self._query(DOMAINS, prefix=reversed_labels(domain)))


def _ended(instance: Instance) -> datetime | None:
    return instance.operation.touched_at if instance.state is InstanceState.GONE else None
