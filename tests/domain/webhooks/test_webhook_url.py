"""Which URLs a binding may name; regressions that fuzzing found."""

import msgspec
import pytest

from lambdas.domain.tenants.instance import BindingSecret
from lambdas.domain.webhooks.address_rules import AddressRules, BadUrl
from lambdas.domain.webhooks.signature import WebhookSecret
from lambdas.domain.webhooks.webhook_url import MAX_USERINFO, checked_url


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


def test_credentials_in_a_url_fit_what_kms_encrypts() -> None:
    """4,096 bytes: the longest that is taken fits with all that is kept beside it; a longer one is refused."""
    longest = "u:" + "p" * (MAX_USERINFO - 2)
    _, userinfo = checked_url(f"https://{longest}@app.example.gov/", AddressRules())
    assert userinfo == longest
    key, secret = "AKIA" + "X" * 16, "s" * 128  # IAM's longest
    bound = BindingSecret(
        access_key_id=key,
        secret_access_key=secret,
        webhook_secret="whsec_" + "w" * 88,
        webhook_userinfo=userinfo,
        asked_userinfo=userinfo,
    )
    assert len(msgspec.json.encode(bound)) <= 4096
    assert len(msgspec.json.encode(WebhookSecret(secret="whsec_" + "w" * 88, userinfo=userinfo))) <= 4096
    with pytest.raises(BadUrl, match="user name and password are longer than 1000 characters"):
        checked_url(f"https://{longest}p@app.example.gov/", AddressRules())


@pytest.mark.parametrize(
    "suffix", ["localhost", "local", "localdomain", "internal", "intranet", "lan", "home", "corp", "home.arpa"]
)
def test_a_name_that_only_a_private_network_knows_is_refused(suffix: str) -> None:
    """Unless the operator allows networks of its own; a public name may contain the word."""
    for host in (suffix, f"app.{suffix}"):
        with pytest.raises(BadUrl, match="not public"):
            checked_url(f"https://{host}/", AddressRules())
    assert checked_url(f"https://app.{suffix}/", AddressRules(), private_names=True)
    assert checked_url(f"https://{suffix}.example.gov/", AddressRules())


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://app.example.gov/" + "a" * 1_977, "longer than 2000 characters"),
        ("https://app.example.gov/#", "fragment"),
        ("https://app.example.gov/#top", "fragment"),
        ("https://app.example.gov:0/", "port is 0"),
        ("https://8.8.8.8/", "names an IP address"),
        ("https://[2606:4700::1111]/", "names an IP address"),
        ("https://10.1.2.3/", "not public"),
        ("http://app.example.gov/", "must begin with https://"),
        ("https:///hook", "names no host"),
        ("https://a..example.gov/", "not a valid name"),
        ("https://-a.example.gov/", "not a valid name"),
        ("https://a-.example.gov/", "not a valid name"),
        ("https://" + "a" * 64 + ".example.gov/", "not a valid name"),
        ("https://app/", "not public"),
        ("https://app.127/", "not public"),
        ("https://app.0x7f/", "not public"),
        ("https://app.0x/", "not public"),
    ],
)
def test_a_url_that_cannot_be_a_webhooks_is_refused_with_the_reason(url: str, why: str) -> None:
    """At the bind, where the tenant can still change it."""
    with pytest.raises(BadUrl, match=why):
        checked_url(url, AddressRules())


@pytest.mark.parametrize(
    "url",
    [
        "https://app.example.gov/" + "a" * 1_976,
        "https://app.example.gov:8443/hook?token=a%20b",
        "https://App.Example.GOV./",
        "https://" + "a" * 63 + ".example.gov/",
        "https://my_app.example.gov/",
        "https://x0x7f.gov1/",
    ],
)
def test_a_public_name_with_any_port_and_query_is_taken_as_it_is(url: str) -> None:
    """To the last character that is allowed."""
    assert checked_url(url, AddressRules()) == (url, None)


def test_an_operators_networks_allow_their_addresses_and_names() -> None:
    """Names without a dot among them; numbers that a resolver reads as an address stay refused."""
    rules = AddressRules.parse("10.0.0.0/8", allow_http=True)
    assert checked_url("http://joe:pw@10.1.2.3/", rules) == ("http://10.1.2.3/", "joe:pw")
    assert checked_url("http://app/", rules, private_names=True) == ("http://app/", None)
    with pytest.raises(BadUrl, match="not public"):
        checked_url("http://app.0x7f/", rules, private_names=True)
    with pytest.raises(BadUrl, match="https:// or http://"):
        checked_url("ftp://app/", rules)
