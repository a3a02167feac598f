"""The text of a digest."""

from lambdas.delivery.digests import MAX_TEXT, SHOWN_IN_FULL, digest_text
from tests.delivery.world import delivery


def test_each_event_is_a_paragraph() -> None:
    """As it was rendered at fan-out."""
    events = [delivery("a", body="Bounced: a@x.example\n"), delivery("b", body="Bounced: b@x.example\n")]

    assert digest_text(events) == "Bounced: a@x.example\n\nBounced: b@x.example\n"


def test_what_a_reader_cannot_take_is_counted() -> None:
    """A flood becomes a number, by kind."""
    bounces = [delivery(f"b{number}", body="x") for number in range(SHOWN_IN_FULL + 5)]
    complaints = [delivery(f"c{number}", "email.complained", body="x") for number in range(2)]

    text = digest_text(bounces + complaints)

    assert text.count("\n\n") == SHOWN_IN_FULL
    assert text.endswith("Not spelled out here: 5 email.bounced, 2 email.complained\n")


def test_a_digest_fits_what_sns_takes() -> None:
    """256 KB, and its text may be outside ASCII."""
    long = [delivery(f"b{number}", body="ü" * 19_000) for number in range(20)]

    assert len(digest_text(long).encode()) < 256 * 1024
    assert len(digest_text(long).encode()) <= MAX_TEXT + 100


def test_a_digest_ends_with_the_instance_s_page() -> None:
    """Where there is a portal."""
    page = "https://portal.agency.gov/instances/i1"
    assert digest_text([], page=page) == f"Rates, evidence and history in the portal: {page}\n"
