"""Confirmation mails that SNS sends to an address: whose mailbox they fill, who has them sent, and when more may go."""

import hashlib
from datetime import datetime

from lambdas.domain.reputation.sending_status import midnight_after

PER_INSTANCE = 3  # mails that an organization may have sent a day for each instance that it may have
KEY_PREFIX = "confirmations#"  # of the counters' partition keys in the broker's table; the portal may write no others
_WITHOUT_DOTS = frozenset({"gmail.com", "googlemail.com"})  # Gmail ignores dots; both names are the same mailboxes


def counter_key(email: str) -> str:
    """The partition key of the mailbox's counters: a digest, so that the table holds no address.

    Spellings that most servers deliver to one mailbox have one key: upper case, a `+suffix`, and Gmail's dots.
    """
    local, _, domain = email.lower().rpartition("@")
    local = local.partition("+")[0]
    if domain in _WITHOUT_DOTS:
        local, domain = local.replace(".", ""), "gmail.com"
    return KEY_PREFIX + hashlib.sha256(f"{local}@{domain}".encode()).hexdigest()


def organization_key(organization_guid: str) -> str:
    """The partition key of the counters of what an organization has had sent, to whatever addresses."""
    return f"{KEY_PREFIX}organization#{organization_guid}"


def again(now: datetime) -> str:
    """From when on an address that reached its limit may get confirmation mails again."""
    return f"{midnight_after(now):%Y-%m-%d %H:%M} UTC"


def refusal(now: datetime) -> str:
    """Why no confirmation mail is sent. Does not say who used the limit up."""
    return f"No more confirmation mails can be sent to this address today. It is possible again from {again(now)} on."
