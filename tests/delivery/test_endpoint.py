"""A webhook's URL as libcurl gets it, and the authorities that its certificate is checked against."""

import atexit
from pathlib import Path
from typing import Any

import certifi
import pytest

from lambdas.delivery.certificates import ca_file
from lambdas.delivery.endpoint import Endpoint, read_url
from lambdas.domain.webhooks.address_rules import AddressRules, BadUrl

RULES = AddressRules.parse("10.0.0.0/8", allow_http=True)


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://app.example.gov/hook?a=1", "app.example.gov", 443),
        ("https://app.example.gov:8443/", "app.example.gov", 8443),
        ("http://App.Example.GOV/", "app.example.gov", 80),
        ("https://[2606:4700::1111]/", "2606:4700::1111", 443),
    ],
)
def test_a_url_says_where_to_connect(url: str, host: str, port: int) -> None:
    """Without a port it is the scheme's."""
    assert read_url(url, RULES) == Endpoint(url=url, host=host, port=port, addresses=())


def test_a_url_is_read_by_the_rules_of_a_bind() -> None:
    """Each time: the operator may have changed them."""
    with pytest.raises(BadUrl, match="not public"):
        read_url("https://127.0.0.1/", RULES)


def test_addresses_are_pinned_in_libcurls_notation() -> None:
    """IPv6 in brackets; forgotten after a minute."""
    endpoint = Endpoint(url="u", host="app.gov", port=443, addresses=("192.0.2.1", "2001:db8::1"))
    assert endpoint.pinned == "+app.gov:443:192.0.2.1,[2001:db8::1]"


def test_the_operators_authorities_stand_behind_the_public_ones_in_a_file_that_ends_with_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any, the public ones' own file is used."""
    at_exit: list[tuple[Any, dict[str, Any]]] = []
    monkeypatch.setattr(atexit, "register", lambda function, **more: at_exit.append((function, more)))
    assert ca_file() == certifi.where()
    assert at_exit == []
    own = tmp_path / "own.pem"
    own.write_text("OWN")
    made = Path(ca_file(str(own)))
    assert made.read_text() == Path(certifi.where()).read_text() + "\nOWN\n"
    for function, more in (*at_exit, *at_exit):  # a second time, too
        function(**more)
    assert len(at_exit) == 1
    assert not made.exists()
