"""SMTP passwords and hosts, by AWS's own vectors."""

import pytest

from lambdas.domain.tenants.smtp import FIPS_REGIONS, smtp_host, smtp_password


@pytest.mark.parametrize(
    ("region", "password"),
    [
        ("us-west-1", "BH+jbMzper5WwlwUar9E1ySBqHa9whi0GPo+sJ0mVYJj"),
        ("eu-central-1", "BMXhUYlu5Z3gSXVQORxlVa7XPaz91aGWdfHxvkOZdWZ2"),
    ],
)
def test_a_password_is_derived_from_the_key_for_its_region(region: str, password: str) -> None:
    """It is good in that region alone."""
    assert smtp_password("some+secret+key", region) == password


@pytest.mark.parametrize("region", ["us-east-1", "us-gov-west-1", "eu-central-1"])
def test_the_fips_host_is_named_where_there_is_one(region: str) -> None:
    """And only if it is asked for."""
    assert smtp_host(region, fips=False) == f"email-smtp.{region}.amazonaws.com"
    fips = smtp_host(region, fips=True)
    assert (fips == f"email-smtp-fips.{region}.amazonaws.com") is (region in FIPS_REGIONS)


def test_the_regions_with_fips_smtp_hosts_are_those_of_aws() -> None:
    """https://docs.aws.amazon.com/general/latest/gr/ses.html"""
    assert frozenset({"us-east-1", "us-east-2", "us-west-1", "us-west-2", "us-gov-west-1"}) == FIPS_REGIONS
