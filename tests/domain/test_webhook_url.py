"""Which URLs a binding may name; regressions that fuzzing found."""

import pytest

from lambdas.domain.address import AddressRules, BadUrl
from lambdas.domain.webhook_url import checked_url


@pytest.mark.parametrize("host", ["ⓔxample.com", "0.¡", "bücher.example", "app。example.gov"])
def test_a_host_that_is_not_ascii_is_refused(host: str) -> None:
    """The library that connects reads such names by other rules than the one that checks, or not at all."""
    with pytest.raises(BadUrl, match="not ASCII"):
        checked_url(f"https://{host}/", AddressRules())


def test_a_host_as_dns_knows_it_is_taken() -> None:
    """An internationalised name has an ASCII form, which DNS uses."""
    assert checked_url("https://xn--bcher-kva.example/a", AddressRules()) == ("https://xn--bcher-kva.example/a", None)
