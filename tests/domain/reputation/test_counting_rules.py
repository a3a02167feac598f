"""What weighs in the rates."""

import pytest

from lambdas.domain.events.feedback_event import BounceClass
from lambdas.domain.reputation.counting_rules import bounce_counts, complaint_counts, counted, is_simulated

SIMULATED = "bounce+label@simulator.amazonses.com"
REAL = "joe@shop.example"


@pytest.mark.parametrize("subtype", ["General", "NoEmail", "Suppressed", None, "SomethingNew"])
def test_a_hard_bounce_counts(subtype: str | None) -> None:
    """SES's global suppression list too: the sender wrote to an address known to be bad."""
    assert bounce_counts(BounceClass.PERMANENT, subtype, [REAL])


@pytest.mark.parametrize(
    "subtype",
    ["OnAccountSuppressionList", "OnTenantSuppressionList", "EmailValidationSuppressed", "UnsubscribedRecipient"],
)
def test_mail_that_was_held_back_does_not_count(subtype: str) -> None:
    """No mailbox provider ever saw it."""
    assert not bounce_counts(BounceClass.PERMANENT, subtype, [REAL])


@pytest.mark.parametrize("bounce_class", [BounceClass.TRANSIENT, BounceClass.UNDETERMINED])
def test_a_soft_bounce_does_not_count(bounce_class: BounceClass) -> None:
    """An auto-reply is one, too."""
    assert not bounce_counts(bounce_class, "General", [REAL])


def test_the_simulator_never_counts() -> None:
    """SES leaves it out of its rates."""
    assert not bounce_counts(BounceClass.PERMANENT, "General", [SIMULATED])
    assert not complaint_counts("abuse", None, [SIMULATED])


def test_a_recipient_beside_the_simulator_counts() -> None:
    """Recipients are weighed one by one."""
    assert bounce_counts(BounceClass.PERMANENT, "General", [SIMULATED, REAL])
    assert counted([SIMULATED, REAL]) == 1


@pytest.mark.parametrize("address", ["Ann <ANN@Simulator.AmazonSES.com>", "a@simulator.amazonses.com "])
def test_the_simulator_is_known_however_it_is_written(address: str) -> None:
    """Display names, case, blanks."""
    assert is_simulated(address)


@pytest.mark.parametrize("address", ["a@simulator.amazonses.com.example", "simulator.amazonses.com@a.example", ""])
def test_what_looks_like_the_simulator_is_not(address: str) -> None:
    """Else a tenant could hide its bounces."""
    assert not is_simulated(address)


@pytest.mark.parametrize("feedback_type", ["abuse", "auth-failure", "fraud", "other", "virus", None])
def test_a_complaint_counts(feedback_type: str | None) -> None:
    """Without a report, and without candidates, too."""
    assert complaint_counts(feedback_type, None, [REAL])
    assert complaint_counts(feedback_type, None, [])


def test_praise_is_no_complaint() -> None:
    """`not-spam` is someone taking the mail out of the spam folder."""
    assert not complaint_counts("not-spam", None, [REAL])


@pytest.mark.parametrize("subtype", ["OnAccountSuppressionList", "OnTenantSuppressionList"])
def test_a_complaint_from_a_suppression_list_does_not_count(subtype: str) -> None:
    """The mail was never sent, whosever list it was."""
    assert not complaint_counts("abuse", subtype, [REAL])
