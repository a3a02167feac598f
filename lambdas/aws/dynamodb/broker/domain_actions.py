"""Parts of the broker table's transactions that claim domains and give them back."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lambdas.aws.dynamodb.attribute_values import new_item, to_item
from lambdas.domain.tenants.domain_claim import REMEMBERED_FOR, RESERVED_FOR, Claim
from lambdas.domain.tenants.domain_names import parents, reversed_labels, unreversed
from lambdas.domain.tenants.instance import Instance

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

DOMAINS = "domains"


class DomainActions:
    """Writes of domain claims to one table; *get* reads an item of it by its key."""

    def __init__(self, table: str, get: Callable[[dict[str, str]], dict[str, Any] | None]) -> None:
        self._table = table
        self._get = get

    def claim(self, instance: Instance, domain: str) -> "Iterator[TransactWriteItemTypeDef]":
        """Takes a domain, unless another organization holds it or one above it."""
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

    def remember(self, instance: Instance, domain: str) -> "Iterator[TransactWriteItemTypeDef]":
        """An unverified claim that is given back; the time of a verified one begins anew."""
        claim = self._get({"pk": DOMAINS, "sk": reversed_labels(domain)}) or {}
        if "verified_at" in claim or "claimed_at" not in claim:
            return
        until = instance.operation.touched_at + REMEMBERED_FOR
        key = _former_key(domain, instance.organization_guid)
        item = {**key, "claimed_at": claim["claimed_at"], "expires_at": int(until.timestamp())}
        yield {"Put": {"TableName": self._table, "Item": new_item(item)}}

    def release(self, instance_id: str, domain: str) -> "TransactWriteItemTypeDef":
        """Gives a domain back."""
        return {
            "Delete": {
                "TableName": self._table,
                "Key": to_item({"pk": DOMAINS, "sk": reversed_labels(domain)}),
                "ConditionExpression": "attribute_not_exists(pk) OR instance_id = :instance",
                "ExpressionAttributeValues": to_item({":instance": instance_id}),
            }
        }

    def reserve(self, instance: Instance, domain: str, organization_guid: str) -> "TransactWriteItemTypeDef":
        """Gives a domain back and reserves it for an organization."""
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

    def _claimed_at(self, instance: Instance, domain: str) -> str:
        """Since when the organization claims *domain*: ISO 8601, that of a former claim if it is remembered."""
        now = instance.operation.started_at
        former = self._get(_former_key(domain, instance.organization_guid))
        return str(former["claimed_at"]) if former and former["expires_at"] > now.timestamp() else now.isoformat()


def claim_of(item: dict[str, Any]) -> Claim:
    """The claim that an item holds."""
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


def _former_key(domain: str, organization_guid: str) -> dict[str, str]:
    return {"pk": f"former#{reversed_labels(domain)}", "sk": organization_guid}


def _moment(item: dict[str, Any], name: str) -> datetime | None:
    return datetime.fromisoformat(item[name]) if name in item else None
