"""The text of a digest."""

from dataclasses import replace
from datetime import timedelta

from aws_lambda_powertools import Logger

from lambdas.delivery.digests import EVERY, MAX_TEXT, SHOWN_IN_FULL, UNCONFIRMED_CHECK, Digests, digest_text
from lambdas.domain.webhooks.webhook import NotificationFormat
from tests.delivery.world import START, World, batch, delivery


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


def test_a_hundred_events_are_spelled_out_and_the_text_ends_with_a_line_end() -> None:
    """200,000 bytes of them; the one that would pass that is counted."""
    assert (SHOWN_IN_FULL, MAX_TEXT) == (100, 200_000)
    hundred = [delivery(f"b{number}", body="x") for number in range(100)]
    assert digest_text(hundred) == "\n\n".join(["x"] * 100) + "\n"
    half = delivery("h", body="y" * 100_000)
    assert digest_text([half, half]) == f"{half.body}\n\n{half.body}\n"
    one_more = [half, half, delivery("z", "email.complained", body="z")]
    assert digest_text(one_more).endswith("y\n\nNot spelled out here: 1 email.complained\n")


def test_a_digest_is_sent_in_the_order_of_events_with_what_it_holds_as_its_subject() -> None:
    """By kind, and whose it is; the page of the portal if there is one."""
    world = World()
    target = world.webhook("email-b1", format=NotificationFormat.EMAIL, url="arn:t")
    deliveries = (
        delivery("late", "email.rendering_failed", body="late", created_at=START + timedelta(seconds=2)),
        delivery("first", body="first"),
        delivery("second", body="second", created_at=START + timedelta(seconds=1)),
    )
    batches = [
        replace(batch("email-b1"), deliveries=deliveries[:1]),
        replace(batch("email-b1"), deliveries=deliveries[1:]),
    ]

    digests = Digests(topics=world, states=world, logger=Logger(), count=world.count, portal_url="https://portal.gov")
    digests.send(replace(target, url="arn:t"), batches)

    page = "Rates, evidence and history in the portal: https://portal.gov/instances/i1"
    assert world.notified == [
        ("arn:t", "2 bounced, 1 rendering failed (i1)", f"first\n\nsecond\n\nlate\n\n{page}\n"),
    ]
    assert world.counted == {"DeliveriesMade": 3}
    assert (timedelta(minutes=1), timedelta(minutes=15)) == (EVERY, UNCONFIRMED_CHECK)
