"""One attempt at a delivery, and its outcome."""

from dataclasses import dataclass
from datetime import datetime

from lambdas.domain.webhooks.delivery import Delivery
from lambdas.domain.webhooks.retry_schedule import SLOW_DOWN, retry_after

BODY_READ = 16 * 1024  # bytes of a response that are read; the rest is never used
BODY_KEPT = 1_024  # bytes of it that a tenant may see
TIMED_OUT = "timeout"  # the reason of an attempt that used all of its time
GONE = 410  # the receiver wants no more deliveries (Standard Webhooks: disable the webhook)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The receiver's answer; `body` is cut at BODY_READ."""

    status: int
    retry_after: str | None = None
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoResponse:
    """Why there is no answer: "timeout", "connection refused", "address not allowed", ..."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """The receiver accepted the delivery."""

    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The attempt failed and may be retried. `reason` is the status or why there is none; `wait` is a 429's or 503's
    Retry-After, s.
    """

    reason: str
    excerpt: str = ""
    wait: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverGone:
    """The receiver wants no more deliveries of this webhook (410)."""

    reason: str
    excerpt: str = ""


AttemptOutcome = Delivered | Failed | ReceiverGone


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt at *delivery*: when it began and ended, and its outcome."""

    delivery: Delivery
    began: datetime
    ended: datetime
    outcome: AttemptOutcome


def classify(answer: Response | NoResponse, *, now: datetime) -> AttemptOutcome:
    """The outcome of an answer.

    Only 2xx is success, whatever the body says. Any other status is retried, 404 included: a stopped Cloud Foundry
    application answers 404. A redirect is a failure: redirects are never followed. 410 disables the webhook.
    """
    match answer:
        case NoResponse(reason=reason):
            return Failed(reason=reason)
        case Response(status=status) if 200 <= status < 300:
            return Delivered(status=status)
        case Response(status=status, body=body) if status == GONE:
            return ReceiverGone(reason=str(status), excerpt=excerpt(body))
        case Response(status=status, retry_after=asked, body=body):
            wait = retry_after(asked, now=now) if status in SLOW_DOWN else None
            return Failed(reason=str(status), excerpt=excerpt(body), wait=wait)


def excerpt(body: bytes) -> str:
    """The part of a response that a tenant may see: its first BODY_KEPT bytes as text, without control characters."""
    text = body[:BODY_KEPT].decode("utf-8", "replace")
    return "".join(character if character.isprintable() or character in "\n\t" else "�" for character in text)
