"""What becomes of a mail, by its recipient."""

import pytest

from local.emulator.simulator import Fate, address, fate_of


@pytest.mark.parametrize(
    ("recipient", "fate"),
    [
        ("success@simulator.amazonses.com", Fate.DELIVERED),
        ("bounce@simulator.amazonses.com", Fate.BOUNCED),
        ("Bounce+label1@Simulator.AmazonSES.com", Fate.BOUNCED),
        ("ooto@simulator.amazonses.com", Fate.AUTO_REPLIED),
        ("complaint+x@simulator.amazonses.com", Fate.COMPLAINED),
        ("suppressionlist@simulator.amazonses.com", Fate.SUPPRESSED),
        ("softbounce@simulator.amazonses.com", Fate.DELIVERED),
        ("bounce@shop.example", Fate.BOUNCED),
        ("softbounce+2@shop.example", Fate.SOFT_BOUNCED),
        ("Ann <complaint@a.b.example>", Fate.COMPLAINED),
        ("delay@shop.example", Fate.DELAYED),
        ("ann@shop.example", Fate.DELIVERED),
        ("bounce@example.com", Fate.DELIVERED),
        ("bounce@example", Fate.DELIVERED),
        ("bounces@shop.example", Fate.DELIVERED),
        ("not an address", Fate.DELIVERED),
    ],
)
def test_a_recipient_decides_what_becomes_of_the_mail(recipient: str, fate: Fate) -> None:
    """The simulator's own mailboxes, their likes under .example, and nothing else."""
    assert fate_of(recipient) is fate


def test_an_address_is_found_behind_a_display_name() -> None:
    """A name may hold an @ of its own."""
    assert address('"a@b" <c@d.example>') == "c@d.example"
    assert address(" c@d.example ") == "c@d.example"
