"""Domain take-over: an unverified claim yields to another organization that proves control of the domain.

The proof is a TXT record that the refusal names. Once it is there, the holder's instance gets a release operation, and
the name is reserved for the claimant, whose next request succeeds. A verified claim never yields.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from lambdas.broker.instances.domain_claims import DomainClaims
from lambdas.broker.operations.engine import past_operations
from lambdas.broker.operations.requests import Operations, retry_on_conflict
from lambdas.broker.osb.errors import ConcurrencyError
from lambdas.broker.ports import InstanceStore
from lambdas.domain.errors import Throttled
from lambdas.domain.tenants.dns_records import as_line
from lambdas.domain.tenants.domain_claim import Claim, proof_record
from lambdas.domain.tenants.instance import Instance, InstanceState, OperationKind

IN_USE = "{domain} is in use by another service instance; if it is yours, ask the operator"
PROVE = (
    "{domain} is claimed by another service instance, which has not verified it. If it is yours, make this DNS record "
    "and create the instance again{after}: {record}"
)
YIELDING = "{domain}: control is proven and the earlier claim is being released; create the instance again in 5 minutes"
PROVEN = "another organization proved control of it"

ReadTxt = Callable[[str], frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainTakeover:
    """Decides on requests for a name that another instance holds. *txt* returns a name's TXT values, if any."""

    store: InstanceStore
    operations: Operations
    claims: DomainClaims
    txt: ReadTxt

    def refusal(self, wanted: Instance, claim: Claim, *, now: datetime) -> str:
        """Why *wanted* cannot have the domain of *claim* now; begins the release if control of it is proven."""
        domain = wanted.domain
        if claim.organization_guid == wanted.organization_guid or not claim.instance_id or self._verified(claim, now):
            return IN_USE.format(domain=domain)
        record = proof_record(domain, wanted.organization_guid)
        yields_at = claim.yields_at
        if yields_at is not None and now < yields_at:
            after = f" after {yields_at:%Y-%m-%d %H:%M} UTC"
            return PROVE.format(domain=domain, after=after, record=as_line(record))
        if record.value not in self.txt(record.name):
            return PROVE.format(domain=domain, after="", record=as_line(record))
        begin_release(self.store, self.operations, claim, reason=PROVEN, reserved_for=wanted.organization_guid, now=now)
        return YIELDING.format(domain=domain)

    def _verified(self, claim: Claim, now: datetime) -> bool:
        """Whether SES verified the claim. If it cannot be checked now, it counts as verified."""
        try:
            return self.claims.is_verified(claim, now=now)
        except Throttled:
            return True


def begin_release(
    store: InstanceStore, operations: Operations, claim: Claim, *, reason: str, reserved_for: str = "", now: datetime
) -> Instance:
    """Queue the release of the domain of *claim* from its instance. Idempotent. Raises ConcurrencyError.

    *reserved_for*: the organization that alone may claim the name afterwards, for RESERVED_FOR; empty: anybody.
    """

    def decided() -> Instance:
        holder = store.instance(claim.instance_id)
        if holder is None or holder.state is InstanceState.GONE or holder.domain != claim.domain or not holder.claimed:
            raise ConcurrencyError("the claim was given back at this moment; try again")
        if holder.busy:
            operations.enqueue(holder)
            if holder.operation.kind is OperationKind.RELEASE:
                return holder
            raise ConcurrencyError("the instance that holds the domain is busy; try again in a few minutes")
        operation = operations.begin(OperationKind.RELEASE, now=now)
        operation = replace(operation, reason=reason, reserved_for=reserved_for)
        begun = store.save_instance(
            replace(holder, operation=operation, past=past_operations(holder, holder.operation))
        )
        operations.enqueue(begun)
        return begun

    return retry_on_conflict(decided)
