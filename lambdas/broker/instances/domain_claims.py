"""Domains that an instance cannot have: public suffixes, and relatives of what other organizations verified.

An unverified claim blocks only its own name; otherwise a claim on `agency.gov` by a stranger would block
every agency below. SES knows whether a claim is verified; each check is a rate-limited call, so results are stored.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from lambdas.broker.ports import ClaimStore, Identities
from lambdas.domain.tenants.domain_claim import Claim
from lambdas.domain.tenants.instance import Instance

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

LOOKS = 5  # checks at SES for one request: about one call a second is allowed
CHECKED_FOR = timedelta(hours=1)  # for so long, an unverified claim is not checked again


@dataclass(frozen=True, slots=True, kw_only=True)
class Related:
    """What related claims mean for an instance. `unknown`: some are not checked yet."""

    blocked: bool = False
    unknown: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainClaims:
    """Checks a domain's claims. Reads of `identities` may raise Throttled."""

    claims: ClaimStore
    identities: Identities

    def held(self, instance: Instance, *, now: datetime) -> Claim | None:
        """The claim of another instance on exactly this domain; None if there is none."""
        who = {"instance_id": instance.id, "organization_guid": instance.organization_guid}
        claims = self.claims.claims_related(instance.domain)
        return next((c for c in claims if c.domain == instance.domain and c.is_held_against(**who, now=now)), None)

    def is_verified(self, claim: Claim, *, now: datetime) -> bool:
        """Whether SES verified the claim's domain; asks SES unless it was asked within CHECKED_FOR."""
        if claim.verified or not _is_unknown(claim, now):
            return claim.verified
        identity = self.identities.identity(claim.domain)
        verified = identity is not None and identity.verified and identity.owner == claim.instance_id
        self.claims.note_claim(claim, verified=verified, at=now)
        return verified

    def related(self, instance: Instance, *, now: datetime) -> Related:
        """Whether another organization verified a parent or child domain. Checks at most LOOKS unknown claims."""
        foreign = [claim for claim in self.claims.claims_related(instance.domain) if _is_foreign(claim, instance)]
        if any(claim.verified for claim in foreign):
            return Related(blocked=True)
        unknown = [claim for claim in foreign if _is_unknown(claim, now)]
        for claim in _nearest_first(unknown, instance.domain)[:LOOKS]:
            if self.is_verified(claim, now=now):
                return Related(blocked=True)
        return Related(unknown=len(unknown) > LOOKS)


def is_public_suffix(domain: str, *, allowed: Iterable[str]) -> bool:
    """Whether others register names below *domain* (`gov.uk`, `github.io`), by publicsuffix.org's list.

    *allowed* are suffixes that the operator lets tenants have.
    """
    return domain not in allowed and _suffixes().is_public(domain)


@cache
def _suffixes() -> "PublicSuffixList":
    from publicsuffixlist import PublicSuffixList  # 50 ms of CPU: only provisions need it

    return PublicSuffixList()


def _is_foreign(claim: Claim, instance: Instance) -> bool:
    """Claims of other organizations above or below the domain, without reservations, which are never verified."""
    held = claim.reserved_until is None and claim.domain != instance.domain
    return held and claim.organization_guid != instance.organization_guid


def _is_unknown(claim: Claim, now: datetime) -> bool:
    return claim.checked_at is None or now - claim.checked_at > CHECKED_FOR


def _nearest_first(claims: Iterable[Claim], domain: str) -> list[Claim]:
    """Parents first: a child of another organization's verified domain would send in its name."""
    return sorted(claims, key=lambda claim: (claim.domain.endswith("." + domain), len(claim.domain)))
