"""Which counter what counts goes to."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from lambdas.domain.events.feedback_event import (
    Bounce,
    BounceClass,
    Complaint,
    EventType,
    FeedbackEvent,
    Mail,
    Receipt,
    Recipient,
)
from lambdas.domain.reputation.ledger import (
    COUNTERS_KEPT,
    LEDGER_KEPT,
    LedgerEntry,
    LedgerKind,
    begin_of,
    bucket_of,
    deliveries_by_bucket,
    hour_of,
    ledger_entry,
)

BASELINE = datetime(2026, 11, 21, 4, 30, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "bucket"),
    [
        (datetime(2026, 11, 21, 4, 59, 59, tzinfo=UTC), "2026-11-21T04"),
        (datetime(2026, 11, 21, 5, tzinfo=UTC), "2026-11-21T05"),
        (datetime(2026, 11, 21, 1, tzinfo=timezone(timedelta(hours=-7))), "2026-11-21T08"),
    ],
)
def test_an_hour_is_utcs(moment: datetime, bucket: str) -> None:
    """Wherever the timestamp was written."""
    assert bucket_of(moment) == bucket


@pytest.mark.parametrize(
    ("moment", "bucket"),
    [
        (datetime(2026, 11, 21, 4, 45, tzinfo=UTC), "2026-11-21T04:30:07"),
        (datetime(2026, 11, 21, 4, 10, tzinfo=UTC), "2026-11-21T04:30:07"),
        (datetime(2026, 11, 20, 4, tzinfo=UTC), "2026-11-21T04:30:07"),
        (datetime(2026, 11, 21, 5, tzinfo=UTC), "2026-11-21T05"),
    ],
)
def test_a_baseline_parts_its_hour(moment: datetime, bucket: str) -> None:
    """A timestamp can precede its mail's: feedback on mail sent since the baseline is never before it."""
    assert bucket_of(moment, baseline=BASELINE) == bucket


def test_counters_sort_in_time() -> None:
    """The one that a baseline began stands between its hour and the next."""
    assert "2026-11-21T04" < begin_of(BASELINE) < "2026-11-21T05"


@pytest.mark.parametrize("bucket", ["2026-11-21T04", "2026-11-21T04:30:07"])
def test_a_counter_knows_when_it_begins(bucket: str) -> None:
    """Whichever of the two it is."""
    assert bucket_of(hour_of(bucket)) == "2026-11-21T04"
    assert hour_of("2026-11-21T04:30:07") == BASELINE


def event(
    detail: Bounce | Complaint | Receipt, *, timestamp: datetime | None, sent_at: datetime | None = None
) -> FeedbackEvent:
    """An event of one recipient, about a mail sent at *sent_at*."""
    mail = Mail(message_id="m-1", sent_at=sent_at, sender=None, destination=("a@b.example",), subject=None, tags={})
    return FeedbackEvent(
        id="e" * 64,
        type=EventType.BOUNCE,
        timestamp=timestamp,
        mail=mail,
        recipients=(Recipient(email="a@b.example"),),
        detail=detail,
        configuration_set=None,
        instance_id="i1",
        binding_id=None,
        source="{}",
    )


BOUNCED = Bounce(bounce_class=BounceClass.PERMANENT, subtype="NoEmail", feedback_id="f1", counts=True, counted=2)
COMPLAINED = Complaint(feedback_id="f1", feedback_type="abuse", subtype=None, counts=True)
DELIVERED = Receipt(smtp_response=None, processing_ms=None, counted=3)
SECOND = timedelta(seconds=1)
NOW = BASELINE + timedelta(hours=2)


@pytest.mark.parametrize(
    ("sent_at", "timestamp", "counts"),
    [
        (BASELINE - SECOND, BASELINE + SECOND, False),  # feedback on mail of before
        (BASELINE, BASELINE + SECOND, True),
        (BASELINE + SECOND, BASELINE - SECOND, True),  # a clock that runs behind
        (None, BASELINE - SECOND, False),  # without a sending time, the event's own
        (None, BASELINE, True),
        (None, None, True),
    ],
)
def test_what_is_about_mail_of_before_the_baseline_does_not_count(
    sent_at: datetime | None, timestamp: datetime | None, counts: bool
) -> None:
    """A resumed tenant begins at nothing, deliveries included; what tells no time is taken for new."""
    for detail in (BOUNCED, COMPLAINED):
        entry = ledger_entry(event(detail, timestamp=timestamp, sent_at=sent_at), baseline=BASELINE, now=NOW)
        assert (entry is not None) is counts
    delivered = event(DELIVERED, timestamp=timestamp, sent_at=sent_at)
    assert bool(deliveries_by_bucket([delivered], baseline=BASELINE, now=NOW)) is counts


def test_without_a_baseline_everything_counts() -> None:
    """Recipients of bounces and deliveries, one a complaint, by the hour of the feedback."""
    old = NOW - timedelta(days=20)
    bounced = ledger_entry(event(BOUNCED, timestamp=old, sent_at=old), baseline=None, now=NOW)
    complained = ledger_entry(event(COMPLAINED, timestamp=old), baseline=None, now=NOW)
    assert bounced is not None
    assert complained is not None
    assert (bounced.kind, bounced.counted, bounced.reason) == (LedgerKind.BOUNCE, 2, "NoEmail")
    assert (complained.kind, complained.counted, complained.reason) == (LedgerKind.COMPLAINT, 1, "abuse")
    assert (bounced.timestamp, bounced.bucket, bounced.sent_at) == (old, bucket_of(old), old)
    twice = [event(DELIVERED, timestamp=old)] * 2
    assert deliveries_by_bucket(twice, baseline=None, now=NOW) == {bucket_of(old): 6}


@pytest.mark.parametrize("detail", [replace(BOUNCED, counted=0), replace(COMPLAINED, counts=False), DELIVERED])
def test_what_does_not_count_makes_no_entry(detail: Bounce | Complaint | Receipt) -> None:
    """Deliveries are summed, not listed."""
    assert ledger_entry(event(detail, timestamp=NOW), baseline=None, now=NOW) is None


def test_a_clock_that_runs_ahead_does_not_move_the_window() -> None:
    """Nor does an event without a time."""
    for timestamp in (NOW + timedelta(days=3), None):
        entry = ledger_entry(event(BOUNCED, timestamp=timestamp), baseline=None, now=NOW)
        assert entry is not None
        assert entry.timestamp == NOW


def test_a_bounce_and_a_complaint_of_one_feedback_id_are_two_entries() -> None:
    """The key begins with SES's id, so that it sorts in time, and ends with the event's own."""
    one = ledger_entry(event(BOUNCED, timestamp=NOW), baseline=None, now=NOW)
    other = ledger_entry(replace(event(COMPLAINED, timestamp=NOW), id="f" * 64), baseline=None, now=NOW)
    assert one is not None
    assert other is not None
    assert (one.key, other.key) == ("f1#" + "e" * 16, "f1#" + "f" * 16)


def test_evidence_is_cut_where_no_honest_event_is_longer() -> None:
    """Else one event could grow an item beyond what the table takes."""
    long = replace(
        event(replace(BOUNCED, subtype="s" * 999, feedback_id="f" * 999), timestamp=NOW),
        recipients=tuple(Recipient(email="a" * 999) for _ in range(99)),
    )
    entry = ledger_entry(long, baseline=None, now=NOW)
    assert entry is not None
    assert (len(entry.recipients), len(entry.recipients[0])) == (50, 320)
    assert (len(entry.reason or ""), len(entry.key)) == (200, 200 + 1 + 16)


def test_evidence_is_kept_for_the_days_of_a_rate_and_counters_for_some_more() -> None:
    """A rate looks back 30 days."""
    assert (timedelta(days=30), timedelta(days=35)) == (LEDGER_KEPT, COUNTERS_KEPT)


def test_an_entry_to_the_field() -> None:
    """Without an id and a reason of SES's it is known by the event's own."""
    detail = replace(BOUNCED, feedback_id=None, subtype=None)
    told = replace(event(detail, timestamp=NOW, sent_at=BASELINE), recipients=(Recipient(email="a" * 320),) * 50)
    assert ledger_entry(told, baseline=None, now=NOW) == LedgerEntry(
        key="#" + "e" * 16,
        kind=LedgerKind.BOUNCE,
        bucket="2026-11-21T06",
        timestamp=NOW,
        counted=2,
        message_id="m-1",
        reason=None,
        recipients=("a" * 320,) * 50,
        sent_at=BASELINE,
    )


def test_deliveries_are_summed_by_the_counter_they_belong_to() -> None:
    """The hour of each, or the baseline's."""
    events = [event(DELIVERED, timestamp=moment) for moment in (NOW, NOW - timedelta(hours=1), NOW)]
    events.append(event(replace(DELIVERED, counted=0), timestamp=NOW))
    assert deliveries_by_bucket(events, baseline=None, now=NOW) == {"2026-11-21T06": 6, "2026-11-21T05": 3}
    assert deliveries_by_bucket([event(DELIVERED, timestamp=BASELINE)], baseline=BASELINE, now=NOW) == {
        "2026-11-21T04:30:07": 3
    }
