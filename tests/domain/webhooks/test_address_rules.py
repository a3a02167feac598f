"""Which addresses a webhook may be on."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.webhooks.address_rules import AddressRules, BadUrl, basic_auth, is_public, split_userinfo

PUBLIC = AddressRules()


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.0.0.1", "192.0.2.1",
        "192.0.0.9", "192.0.0.10",
        "192.88.99.1", "192.168.1.1", "198.18.0.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
        "255.255.255.255", "::", "::1", "::10.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "64:ff9b::a00:1",
        "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:a00:1::", "3fff::1", "5f00::1", "fc00::1",
        "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1",
        "127.1", "2130706433", "0x7f000001", "localhost", "",
    ],
)  # fmt: skip
def test_what_is_not_on_the_public_internet_is_not_admitted(address: str) -> None:
    """Ranges that `is_global` lets through among them: multicast, and IPv6 that a gateway would turn into IPv4."""
    assert not PUBLIC.admits(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "52.94.236.248", "2606:4700::1111", "2600:1f18::1"])
def test_public_addresses_are_admitted(address: str) -> None:
    """IPv4 and IPv6."""
    assert PUBLIC.admits(address)


def test_an_operator_can_allow_networks_of_its_own() -> None:
    """An internal Cloud Foundry router, say; nothing beside it."""
    rules = AddressRules.parse("10.1.0.0/16, fd12::/16", allow_http=False)

    assert rules.admits("10.1.255.1")
    assert rules.admits("fd12::1")
    assert rules.admits("8.8.8.8")
    assert not rules.admits("10.2.0.1")


@given(st.ip_addresses(v=4), st.sampled_from(["::ffff:{}", "::{}", "64:ff9b::{}"]))
def test_no_ipv4_address_is_public_in_an_ipv6_disguise(address: IPv4Address, disguise: str) -> None:
    """The kernel or a gateway would connect by IPv4, unchecked."""
    assert not is_public(IPv6Address(disguise.format(address)))


@pytest.mark.parametrize(
    "url",
    ["http://hooks.example/", "ftp://hooks.example/", "https://", "https:///path", "https://10.0.0.1/",
     "https://[::1]/", "https://a b/", "https://hooks.example\n/", "https://[::1", "https://h:99999/", "hooks.example",
     "https://[v1.fe80]/", "https://[2606:4700::1111]x/", "https://[hooks.example]/", "https://a[2606:4700::1111]/",
     "https://hooks.example\\@10.0.0.1/", "https://hooks.example/\\x", "https://hooks.example/\u00e9",
     "https://[2606:4700::1111%25eth0]/", "https://h:8_0/", "https://%68ooks.example/"],
)  # fmt: skip
def test_a_url_that_leads_nowhere_we_may_go_is_refused(url: str) -> None:
    """What can be seen without asking anybody."""
    with pytest.raises(BadUrl):
        PUBLIC.check_url(url)


def test_plain_http_is_for_local_use() -> None:
    """Where the operator says so."""
    AddressRules.parse("127.0.0.0/8", allow_http=True).check_url("http://127.0.0.1:8000/hook")


@pytest.mark.parametrize(
    ("url", "plain", "userinfo"),
    [
        ("https://joe:pw@h.example/x?y=1", "https://h.example/x?y=1", "joe:pw"),
        ("https://joe@h.example:8443/", "https://h.example:8443/", "joe"),
        ("https://h.example/a@b", "https://h.example/a@b", None),
        ("https://a@b:c@h.example/", "https://h.example/", "a@b:c"),
    ],
)
def test_userinfo_is_taken_off_a_url(url: str, plain: str, userinfo: str | None) -> None:
    """It is a secret, and goes with the others."""
    assert split_userinfo(url) == (plain, userinfo)


def test_basic_auth_decodes_what_a_url_had_to_encode() -> None:
    """`p@ss:word` cannot stand in a URL as it is."""
    assert basic_auth("joe:p%40ss%3Aword") == "Basic am9lOnBAc3M6d29yZA=="
