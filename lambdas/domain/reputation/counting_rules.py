"""What weighs in the rates, as SES weighs it, and how much.

Sources: Amazon SES developer guide, "Reputation metrics message" and "Sender review process FAQs" (hard bounces to
addresses not verified by the sender; complaints through feedback loops), "Amazon SNS notification contents" (types and
subtypes), "Using the account-level suppression list" (its bounces and complaints stay out of the rates), "mailbox
simulator" (stays out too). Not documented, and read so that a tenant is not paused for what is not its fault: the
tenant's own suppression list, validation and unsubscription hold mail back, and nothing reaches a mailbox provider;
`not-spam` takes a complaint back. Mail to addresses the account verified stays out of SES's rates; an event does not
show it, so it counts here.
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
    """How many of *addresses* weigh in a rate."""
    return sum(not is_simulated(address) for address in addresses)


def bounce_counts(bounce_class: BounceClass, subtype: str | None, addresses: Collection[str]) -> bool:
    """Whether a bounce weighs in the bounce rate. One that names nobody is judged by its kind alone."""
    return bounce_class is BounceClass.PERMANENT and subtype not in _HELD_BACK and _reaches_anyone(addresses)


def complaint_counts(feedback_type: str | None, subtype: str | None, addresses: Collection[str]) -> bool:
    """Whether a complaint weighs in the complaint rate, once, however many candidates it names."""
    return feedback_type != _PRAISE and subtype not in _SUPPRESSION_LISTS and _reaches_anyone(addresses)


def _reaches_anyone(addresses: Collection[str]) -> bool:
    return not addresses or counted(addresses) > 0
