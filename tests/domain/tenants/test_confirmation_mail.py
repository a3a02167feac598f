"""Confirmation mails are counted by mailbox, however its address is spelt."""

import hashlib
from datetime import UTC, datetime

import pytest

from lambdas.domain.tenants.confirmation_mail import KEY_PREFIX, again, counter_key, organization_key, refusal


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Victim@Agency.gov", "victim@agency.gov"),
        ("victim+1@agency.gov", "victim+a+b@agency.gov"),
        ("v.ic.tim+1@gmail.com", "Victim@GoogleMail.com"),
    ],
)
def test_spellings_of_one_mailbox_have_one_counter(one: str, other: str) -> None:
    """Upper case, suffixes and Gmail's dots arrive at the same person."""
    assert counter_key(one) == counter_key(other)


@pytest.mark.parametrize("other", ["victim@b.agency.gov", "v.ictim@agency.gov", "victim-1@agency.gov"])
def test_other_mailboxes_have_counters_of_their_own(other: str) -> None:
    """Elsewhere a dot is part of the name."""
    assert counter_key("victim@agency.gov") != counter_key(other)


def test_a_counter_holds_no_address() -> None:
    """A digest under the prefix that the portal's role is limited to."""
    key = counter_key("victim@agency.gov")
    assert key.startswith(KEY_PREFIX)
    assert "victim" not in key


def test_the_refusal_says_when_it_is_possible_again_and_nothing_of_others() -> None:
    """The next day begins at midnight UTC."""
    said = refusal(datetime(2026, 11, 21, 23, 59, tzinfo=UTC))
    assert "from 2026-11-22 00:00 UTC on" in said
    assert not any(word in said.lower() for word in ("tenant", "instance", "organization", "other"))


def test_an_organization_has_a_counter_beside_those_of_mailboxes() -> None:
    """Three mails a day for each instance that it may have."""
    assert organization_key("org-1") == "confirmations#organization#org-1"
    assert again(datetime(2026, 11, 21, 0, 0, tzinfo=UTC)) == "2026-11-22 00:00 UTC"


def test_a_mailbox_keeps_its_counter_in_every_release() -> None:
    """An upgrade in the middle of a day does not begin it anew; Gmail's two names are one."""
    assert counter_key("a@b.cc") == ("confirmations#a8c4271ffca17a5708183b3b9507f7e1e386ba08108353a556d1e1c91c68ed6f")
    digest = hashlib.sha256(b"ab@gmail.com").hexdigest()
    assert counter_key("a.b+c@googlemail.com") == counter_key("ab@gmail.com") == KEY_PREFIX + digest
