"""When to retry: the retry schedule that Standard Webhooks recommends, about three days in total."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

DEFAULT_WAITS = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)  # s; Standard Webhooks, "retry schedule"
JITTER = 0.2  # of each wait: deliveries that failed together are not retried together
SLOW_DOWN = (429, 503)  # the statuses whose Retry-After is obeyed


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySchedule:
    """The waits after each failed attempt, s."""

    waits: tuple[float, ...] = DEFAULT_WAITS

    @classmethod
    def parse(cls, text: str) -> "RetrySchedule":
        """Parse the setting: comma-separated seconds."""
        return cls(waits=tuple(float(wait) for wait in text.split(",")))

    def wait(self, attempt: int, *, retry_after: float | None, jitter: float) -> float | None:
        """How long to wait after failed *attempt* (from 1), s; None after the last one.

        *jitter*, -1 to 1, places the wait in its jitter. *retry_after*, s, is what the receiver asked for. It can
        lengthen the wait, at most to the longest wait of the retry schedule; it cannot shorten it.
        """
        if attempt > len(self.waits):
            return None
        wait = self.waits[attempt - 1] * (1 + JITTER * jitter)
        return max(wait, min(retry_after, max(self.waits))) if retry_after is not None else wait


def retry_after(value: str | None, *, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks for (RFC 9110: seconds or a date); None if it cannot be read."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])  # 30 years: enough, and never infinite
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
