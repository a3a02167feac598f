"""Stored counts: each bounce and complaint that counts with its evidence, and deliveries by the hour.

Units are SES's: recipients for bounces and deliveries, one per feedbackId for complaints. The hour is that of the
feedback itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from lambdas.domain.events.feedback_event import Bounce, Complaint, FeedbackEvent, Receipt

# Limits that no honest event exceeds. They keep every item below the table's size limit.
_RECIPIENTS = 50  # of one mail: SES takes no more
_ADDRESS = 320  # characters: the longest that RFC 3696 allows
_WORD = 200  # characters of an id or a subtype: SES's are below 100


class LedgerKind(StrEnum):
    """What a ledger entry is."""

    BOUNCE = "bounce"
    COMPLAINT = "complaint"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """A bounce or complaint that counts, `counted` times, in the counter of `bucket`.

    `key` is SES's feedbackId (it begins with the hexadecimal time, so later ones sort last), or an id from content.
    `reason` is a bounce's subtype or a complaint's feedback type. `recipients` are evidence for the tenant alone.
    """

    key: str
    kind: LedgerKind
    bucket: str
    timestamp: datetime
    counted: int
    message_id: str | None
    reason: str | None
    recipients: tuple[str, ...]
    sent_at: datetime | None


def bucket_of(moment: datetime, *, baseline: datetime | None = None) -> str:
    """The counter for feedback at *moment*: its hour, `2026-11-21T04`.

    A baseline splits its hour. Feedback after it goes to a separate counter, `2026-11-21T04:30:00`, which sorts
    between this hour and the next. So rates after a resume begin at zero, without resetting a counter.
    """
    hour = moment.astimezone(UTC).strftime("%Y-%m-%dT%H")
    return max(hour, begin_of(baseline)) if baseline else hour


def begin_of(baseline: datetime) -> str:
    """The first counter that holds feedback since *baseline*."""
    return baseline.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def hour_of(bucket: str) -> datetime:
    """The moment at which a counter begins."""
    written = bucket if ":" in bucket else bucket + ":00:00"
    return datetime.strptime(written, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)


def ledger_entry(event: FeedbackEvent, *, baseline: datetime | None, now: datetime) -> LedgerEntry | None:
    """The ledger entry of *event*; None if it does not count, or is about mail sent before *baseline*."""
    match event.detail:
        case Bounce(counted=counted, feedback_id=feedback_id, subtype=reason) if counted:
            kind = LedgerKind.BOUNCE
        case Complaint(counts=True, feedback_id=feedback_id, feedback_type=reason):
            kind, counted = LedgerKind.COMPLAINT, 1
        case _:
            return None
    if _is_past(event, baseline):
        return None
    happened = _happened(event, now)
    return LedgerEntry(
        key=_ledger_key(event, feedback_id),
        kind=kind,
        bucket=bucket_of(happened, baseline=baseline),
        timestamp=happened,
        counted=counted,
        message_id=_word(event.mail.message_id),
        reason=_word(reason),
        recipients=tuple(recipient.email[:_ADDRESS] for recipient in event.recipients[:_RECIPIENTS]),
        sent_at=event.mail.sent_at,
    )


def deliveries_by_bucket(
    events: Iterable[FeedbackEvent], *, baseline: datetime | None, now: datetime
) -> dict[str, int]:
    """The number of delivered recipients in *events*, by counter."""
    sums: dict[str, int] = {}
    for event in events:
        if isinstance(event.detail, Receipt) and event.detail.counted and not _is_past(event, baseline):
            bucket = bucket_of(_happened(event, now), baseline=baseline)
            sums[bucket] = sums.get(bucket, 0) + event.detail.counted
    return sums


def _ledger_key(event: FeedbackEvent, feedback_id: str | None) -> str:
    """The event's id distinguishes a bounce from a complaint with the same feedbackId, and replaces a
    placeholder id.
    """
    return f"{_word(feedback_id) or ''}#{event.id[:16]}"


def _word(text: str | None) -> str | None:
    return text[:_WORD] if text is not None else None


def _is_past(event: FeedbackEvent, baseline: datetime | None) -> bool:
    sent = event.mail.sent_at or event.timestamp
    return baseline is not None and sent is not None and sent < baseline


def _happened(event: FeedbackEvent, now: datetime) -> datetime:
    """When the feedback happened, but not later than now: the sender's clock may run ahead, the window must not."""
    return min(event.timestamp or now, now)


LEDGER_KEPT = timedelta(days=30)  # evidence, and how late a duplicate is recognised: a rate looks back no further
COUNTERS_KEPT = timedelta(days=35)  # 30 days of rates, and some days to investigate an incident
