"""Outcome of a mail by its recipient: SES's mailbox simulator, and the same for any domain under `.example`.

Simulator recipients never count in a rate, on SES as here; `.example` recipients do, so a rate can be driven with them.
"""

import re
from enum import StrEnum

SIMULATOR = "simulator.amazonses.com"
_ADDRESS = re.compile(r"<([^<>]+)>\s*$")


class Fate(StrEnum):
    """Outcome of a mail to one recipient."""

    DELIVERED = "delivered"
    BOUNCED = "bounced"  # Permanent, General
    SOFT_BOUNCED = "soft_bounced"  # Transient, MailboxFull
    SUPPRESSED = "suppressed"  # Permanent, Suppressed: on SES's global list
    AUTO_REPLIED = "auto_replied"  # delivered, then an out-of-office mail: Transient, General
    COMPLAINED = "complained"  # delivered, then marked as spam
    DELAYED = "delayed"  # the receiving server answers 4xx for now, then takes it


_SIMULATED = {
    "success": Fate.DELIVERED,
    "bounce": Fate.BOUNCED,
    "ooto": Fate.AUTO_REPLIED,
    "complaint": Fate.COMPLAINED,
    "suppressionlist": Fate.SUPPRESSED,
}
_EXAMPLES = {
    "bounce": Fate.BOUNCED,
    "softbounce": Fate.SOFT_BOUNCED,
    "complaint": Fate.COMPLAINED,
    "delay": Fate.DELAYED,
}


def fate_of(recipient: str) -> Fate:
    """Outcome of a mail to *recipient*, an address with or without a display name and a `+label`."""
    local_part, _, domain = address(recipient).lower().rpartition("@")
    mailbox = local_part.partition("+")[0]
    if domain == SIMULATOR:
        return _SIMULATED.get(mailbox, Fate.DELIVERED)
    if domain.endswith(".example"):
        return _EXAMPLES.get(mailbox, Fate.DELIVERED)
    return Fate.DELIVERED


def address(recipient: str) -> str:
    """The bare address in `Name <address>`."""
    match = _ADDRESS.search(recipient)
    return (match[1] if match else recipient).strip()
