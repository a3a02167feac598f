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


@pytest.mark.parametrize("labels", [32, 26])
def test_a_host_longer_than_dns_allows_is_refused(labels: int) -> None:
    """RFC 1035: 253 characters, without the final dot."""
    with pytest.raises(BadUrl, match="253 characters"):
        checked_url(f"https://{'.'.join(['abcdefghi'] * labels)}.gov/", AddressRules())


def test_userinfo_that_kms_could_not_encrypt_is_refused() -> None:
    """A binding's secrets hold it twice, in one ciphertext of at most 4,096 bytes."""
    assert checked_url(f"https://u:{'p' * 998}@app.example.gov/", AddressRules())[1] == "u:" + "p" * 998
    with pytest.raises(BadUrl, match="user and password"):
        checked_url(f"https://u:{'p' * 999}@app.example.gov/", AddressRules())
