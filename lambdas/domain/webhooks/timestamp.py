"""How every body writes a time."""

from datetime import UTC, datetime


def rfc3339(moment: datetime) -> str:
    """*moment* in UTC to the millisecond: 2026-11-21T04:00:00.123Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
