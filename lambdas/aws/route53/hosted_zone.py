"""The operator's Route 53 zone for the records of generated domains."""

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import TYPE_CHECKING

from lambdas.aws.errors import throttling
from lambdas.domain.tenants.dns_records import TTL, DnsRecord, RecordType
from lambdas.domain.tenants.domain_names import is_under

if TYPE_CHECKING:
    from types_boto3_route53 import Route53Client
    from types_boto3_route53.type_defs import ChangeTypeDef, ResourceRecordSetOutputTypeDef

_CHUNK = 255  # characters of one string in a TXT record: RFC 1035


class HostedZone:
    """Creates and removes the records of domains below the zone. The client may use other credentials."""

    def __init__(self, client: "Callable[[], Route53Client]", *, zone_id: str) -> None:
        self._client = client
        self._zone_id = zone_id

    def upsert(self, records: Iterable[DnsRecord]) -> None:
        """Create or update the records."""
        ordered = sorted(records, key=lambda record: (record.name, record.type))
        changes: list[ChangeTypeDef] = [
            {
                "Action": "UPSERT",
                "ResourceRecordSet": {
                    "Name": name,
                    "Type": kind.value,
                    "TTL": TTL,
                    "ResourceRecords": [{"Value": _value(record)} for record in group],
                },
            }
            for (name, kind), group in groupby(ordered, key=lambda record: (record.name, record.type))
        ]
        self._change(changes)

    def remove(self, domain: str, *, keep: Iterable[DnsRecord] = ()) -> None:
        """Remove every record of *domain* and below it, except those with the names and types of *keep*. Idempotent."""
        kept = {(record.name, record.type.value) for record in keep}
        changes: list[ChangeTypeDef] = [
            {"Action": "DELETE", "ResourceRecordSet": record}
            for record in self._records(domain)
            if (_plain(record["Name"]), record["Type"]) not in kept
        ]
        if changes:
            self._change(changes)

    def _records(self, domain: str) -> "list[ResourceRecordSetOutputTypeDef]":
        """Route 53 sorts names by their reversed labels, so all names below a domain directly follow it."""
        found: list[ResourceRecordSetOutputTypeDef] = []
        start = {"StartRecordName": domain}
        while True:
            with throttling():
                page = self._client().list_resource_record_sets(HostedZoneId=self._zone_id, **start)  # type: ignore[arg-type]
            under = [record for record in page["ResourceRecordSets"] if is_under(_plain(record["Name"]), domain)]
            found += under
            if len(under) < len(page["ResourceRecordSets"]) or not page["IsTruncated"]:
                return found
            start = {"StartRecordName": page["NextRecordName"], "StartRecordType": page["NextRecordType"]}

    def _change(self, changes: "list[ChangeTypeDef]") -> None:
        with throttling():
            self._client().change_resource_record_sets(HostedZoneId=self._zone_id, ChangeBatch={"Changes": changes})


def _plain(name: str) -> str:
    return name.removesuffix(".").replace("\\052", "*").lower()


def _value(record: DnsRecord) -> str:
    if record.type is not RecordType.TXT:
        return record.value
    chunks = [record.value[start : start + _CHUNK] for start in range(0, len(record.value), _CHUNK)]
    return " ".join(f'"{chunk}"' for chunk in chunks)
