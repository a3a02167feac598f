"""Moments as operators type them: `--since 2026-11-21T04:00:00Z`, or how long ago: `90m`, `12h`, `3d`."""

import re
from datetime import UTC, datetime, timedelta

from lambdas.domain.webhooks.delivery import KEPT_FOR
from ops.command_line.console import fail

_AGO = re.compile(r"([1-9][0-9]{0,6})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def moment(
    text: str,
    *,
    now: datetime,
    longest: timedelta = KEPT_FOR,
    kept: str = "deliveries are kept",
    option: str = "--since",
) -> datetime:
    """The moment that *text* names, at most *longest* before *now*; ends the command if it names none.

    ISO 8601 without a zone is UTC. *kept* begins the sentence that says how far back there is something to find,
    *option* is where the moment was typed.
    """
    found = _read(text, now)
    if found is None:
        fail(f"{option} {text!r} is not a time; write 2026-11-21T04:00:00Z, 90m, 12h or 3d")
    if found > now:
        fail(f"{option} {text!r} lies in the future")
    if now - found > longest:
        fail(f"{option} {text!r} is too long ago: {kept} for {longest.days} days")
    return found


def _read(text: str, now: datetime) -> datetime | None:
    if ago := _AGO.fullmatch(text):
        return _before(now, timedelta(**{_UNITS[ago[2]]: int(ago[1])}))
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _before(now: datetime, wait: timedelta) -> datetime:
    """*wait* before *now*, or the earliest moment there is."""
    try:
        return now - wait
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)
