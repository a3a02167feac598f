"""Domain claims: which instance holds a sending domain, and how another organization proves that it controls it."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from lambdas.domain.tenants.dns_records import DnsRecord, RecordType

YIELDS_AFTER = timedelta(hours=72)  # as long as SES looks for the DKIM records of a new identity
RESERVED_FOR = timedelta(hours=72)  # a released domain is kept for the claimant that proved control
REMEMBERED_FOR = timedelta(days=30)  # how long it is remembered since when an organization claimed a domain in vain
PROOF_LABEL = "_ses-feedback-claim"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """An instance's claim on a domain. `verified`: SES found its DKIM records at `checked_at` (None: never checked).

    `claimed_at` is since when its organization claims it: to delete the instance and create another does not restart
    the time. It is None for claims older than the field. With `reserved_until` no instance holds the domain: its
    `instance_id` is empty, and only the organization may claim it until then.
    """

    domain: str
    instance_id: str
    organization_guid: str
    verified: bool = False
    checked_at: datetime | None = None
    claimed_at: datetime | None = None
    reserved_until: datetime | None = None

    def is_held_against(self, *, instance_id: str, organization_guid: str, now: datetime) -> bool:
        """Whether the claim keeps that instance from claiming the same name."""
        if self.reserved_until is None:
            return self.instance_id != instance_id
        return self.organization_guid != organization_guid and now < self.reserved_until

    @property
    def yields_at(self) -> datetime | None:
        """When the claim, if still unverified, yields to a proof of control. None: at once."""
        return None if self.claimed_at is None else self.claimed_at + YIELDS_AFTER


def proof_record(domain: str, organization_guid: str) -> DnsRecord:
    """The TXT record by which *domain*'s DNS says that the organization may have it.

    The value is bound to domain and organization: copied from public DNS, it proves nothing for anyone else. It is no
    secret, because only who controls the domain's DNS can publish it.
    """
    digest = hashlib.sha256(f"{PROOF_LABEL}\0{domain}\0{organization_guid}".encode()).hexdigest()
    return DnsRecord(
        type=RecordType.TXT,
        name=f"{PROOF_LABEL}.{domain}",
        value=f"ses-feedback-claim={digest[:40]}",
        purpose="proves control of the domain",
    )
