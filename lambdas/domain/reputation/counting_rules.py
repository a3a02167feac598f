"""Which events count in the rates, and how much. The rules follow SES.

Sources: Amazon SES developer guide, "Reputation metrics message" and "Sender review process FAQs" (hard bounces to
addresses not verified by the sender; complaints through feedback loops), "Amazon SNS notification contents" (types
and subtypes), "Using the account-level suppression list" (its bounces and complaints do not count), "mailbox
simulator" (does not count either).

AWS does not document the following cases. They are read so that a tenant is not paused for what is not its fault.
The tenant's own suppression list, validation and unsubscription hold mail back, so nothing reaches a mailbox
provider and nothing counts. `not-spam` withdraws a complaint. SES does not count mail to addresses that the account
verified; an event does not show this, so such mail counts here.
"""

from collections.abc import Collection, Iterable

from lambdas.domain.events.feedback_event import BounceClass

SIMULATOR_DOMAIN = "simulator.amazonses.com"
_HELD_BACK = frozenset(
    {"OnAccountSuppressionList", "OnTenantSuppressionList", "EmailValidationSuppressed", "UnsubscribedRecipient"}
)
_SUPPRESSION_LISTS = frozenset({"OnAccountSuppressionList", "OnTenantSuppressionList"})
_PRAISE = "not-spam"


def is_simulated(address: str) -> bool:
    """Whether *address*, with or without a display name, belongs to SES's mailbox simulator."""
    return address.rstrip("> \t").rpartition("@")[2].lower() == SIMULATOR_DOMAIN


def counted(addresses: Iterable[str]) -> int:
    """How many of *addresses* count in a rate."""
    return sum(not is_simulated(address) for address in addresses)


def bounce_counts(bounce_class: BounceClass, subtype: str | None, addresses: Collection[str]) -> bool:
    """Whether a bounce counts in the bounce rate. If it names no recipient, its type alone decides."""
    return bounce_class is BounceClass.PERMANENT and subtype not in _HELD_BACK and _reaches_anyone(addresses)


def complaint_counts(feedback_type: str | None, subtype: str | None, addresses: Collection[str]) -> bool:
    """Whether a complaint counts in the complaint rate. It counts once, however many candidates it names."""
    return feedback_type != _PRAISE and subtype not in _SUPPRESSION_LISTS and _reaches_anyone(addresses)


def _reaches_anyone(addresses: Collection[str]) -> bool:
    return not addresses or counted(addresses) > 0
