"""Where FIPS endpoints are used."""

import pytest

from lambdas.domain import fips


@pytest.mark.parametrize(
    ("choice", "region", "wanted", "for_aws_calls"),
    [
        ("auto", "us-gov-west-1", True, True),
        ("auto", "us-gov-east-1", True, True),
        ("auto", "us-east-1", False, False),
        ("on", "us-east-1", True, True),
        ("on", "eu-central-1", True, False),  # tenants get the host that there is; our own calls have none to go to
        ("off", "us-gov-west-1", False, False),
    ],
)
def test_the_operators_choice_holds_as_far_as_the_region_allows(
    choice: str, region: str, wanted: bool, for_aws_calls: bool
) -> None:
    """`auto` is for GovCloud alone; only the United States have an endpoint for every service that is called."""
    assert fips.wanted(choice, region) is wanted
    assert fips.for_aws_calls(choice, region) is for_aws_calls
