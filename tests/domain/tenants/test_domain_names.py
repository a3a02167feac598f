"""How domains relate, which decides whose they can be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.tenants.domain_names import (
    generated,
    is_domain,
    is_label,
    is_under,
    parents,
    reversed_labels,
    unreversed,
)

LABELS = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=6)
DOMAINS = st.lists(LABELS, min_size=2, max_size=5).map(".".join)


@given(domain=DOMAINS)
def test_reversing_twice_is_nothing(domain: str) -> None:
    """A key of the table is a domain again."""
    assert unreversed(reversed_labels(domain)) == domain


@given(domain=DOMAINS, other=DOMAINS)
def test_what_is_below_begins_with_the_reversal(domain: str, other: str) -> None:
    """So one query finds all that is below a domain, and nothing else."""
    assert reversed_labels(other).startswith(reversed_labels(domain)) is is_under(other, domain)


@given(domain=DOMAINS)
def test_every_parent_is_above(domain: str) -> None:
    """The nearest first, top-level domains left out."""
    found = parents(domain)
    assert len(found) == len(domain.split(".")) - 2
    assert all(is_under(domain, parent) and parent != domain for parent in found)
    assert list(found) == sorted(found, key=len, reverse=True)


@pytest.mark.parametrize(("name", "under"), [("a.gov", True), ("x.a.gov", True), ("xa.gov", False), ("gov", False)])
def test_under_goes_by_labels(name: str, under: bool) -> None:
    """Not by letters."""
    assert is_under(name, "a.gov") is under


@pytest.mark.parametrize("name", ["gov", "", "a..gov", "-a.gov", "A.gov", "1.2.3.4", "a_b.gov", "a." + "b" * 64])
def test_what_is_no_domain(name: str) -> None:
    """Two labels or more, lower case, no address."""
    assert not is_domain(name)


def test_a_generated_domain_is_the_instances_for_ever() -> None:
    """Sixteen hex digits of the id's hash: the same each time, another for each instance."""
    first = generated("i1", "mail.example.net")
    assert first == generated("i1", "mail.example.net") != generated("i2", "mail.example.net")
    assert is_domain(first)
    assert len(first) == len("ses-") + 16 + len(".mail.example.net")


@pytest.mark.parametrize("name", ["a.gov", "1.gov", "a-b.c-d", "xn--bcher-kva.example", "1.2.3.4a", "a." + "b" * 63])
def test_what_is_a_domain(name: str) -> None:
    """As SES takes it."""
    assert is_domain(name)


def test_a_domain_has_at_most_253_characters() -> None:
    """RFC 1035, without the final dot."""
    longest = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])
    assert len(longest) == 253
    assert is_domain(longest)
    assert not is_domain(longest + "d")


@pytest.mark.parametrize(("name", "right"), [("mail", True), ("a-1", True), ("", False), ("a.b", False), ("a-", False)])
def test_a_label_is_one_part_of_a_name(name: str, right: bool) -> None:
    """A MAIL FROM subdomain is one."""
    assert is_label(name) is right


def test_names_and_their_reversals_to_the_letter() -> None:
    """They are keys of the table, and a generated domain must not change with a release."""
    assert reversed_labels("mail.agency.gov") == "gov.agency.mail."
    assert unreversed("gov.agency.mail.") == "mail.agency.gov"
    assert parents("a.b.agency.gov") == ("b.agency.gov", "agency.gov")
    assert generated("i1", "mail.example.net") == "ses-4cd9b7672d7fbee8.mail.example.net"
