"""Claims on domains: whom they keep out, when they yield, and what proves control."""

from datetime import UTC, datetime, timedelta

import pytest

from lambdas.domain.tenants import domain_claim
from lambdas.domain.tenants.dns_records import DnsRecord, RecordType
from lambdas.domain.tenants.domain_claim import Claim, proof_record

NOW = datetime(2026, 11, 21, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("claim", "held"),
    [
        (Claim(domain="a.gov", instance_id="i1", organization_guid="o1"), False),
        (Claim(domain="a.gov", instance_id="i2", organization_guid="o1"), True),
        (Claim(domain="a.gov", instance_id="", organization_guid="o1", reserved_until=NOW + SECOND), False),
        (Claim(domain="a.gov", instance_id="", organization_guid="o2", reserved_until=NOW + SECOND), True),
        (Claim(domain="a.gov", instance_id="", organization_guid="o2", reserved_until=NOW), False),
    ],
)
def test_a_claim_keeps_out_other_instances_and_a_reservation_other_organizations(claim: Claim, held: bool) -> None:
    """Until it ends."""
    assert claim.is_held_against(instance_id="i1", organization_guid="o1", now=NOW) is held


def test_an_unverified_claim_yields_after_three_days_and_one_without_a_time_at_once() -> None:
    """Claims of the first release have none."""
    assert Claim(domain="a.gov", instance_id="i1", organization_guid="o1", claimed_at=NOW).yields_at == (
        NOW + timedelta(hours=72)
    )
    old = Claim(domain="a.gov", instance_id="i1", organization_guid="o1")
    assert (old.yields_at, old.verified, old.checked_at) == (None, False, None)


def test_the_periods_of_a_takeover_are_those_of_the_documentation() -> None:
    """docs/tenants.md."""
    assert timedelta(hours=72) == domain_claim.YIELDS_AFTER == domain_claim.RESERVED_FOR
    assert timedelta(days=30) == domain_claim.REMEMBERED_FOR


def test_the_proof_is_bound_to_domain_and_organization() -> None:
    """A tenant may have published it before an upgrade: it stays the same."""
    assert proof_record("agency.gov", "org-1") == DnsRecord(
        type=RecordType.TXT,
        name="_ses-feedback-claim.agency.gov",
        value="ses-feedback-claim=40713e7b993c79f1cf68f131f14e5f4dfd35682f",
        purpose="proves control of the domain",
    )
    values = {proof_record(domain, guid).value for domain in ("agency.gov", "a.gov") for guid in ("org-1", "org-2")}
    assert len(values) == 4
