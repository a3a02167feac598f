"""Renders an event or a notice as text: one paragraph of a digest for a `notification_email`."""

from collections.abc import Iterator, Mapping
from typing import Any

_HEADLINES = {
    "email.bounced": "Bounced",
    "email.complained": "Complaint",
    "email.delivered": "Delivered",
    "email.rejected": "Rejected by SES",
    "email.delayed": "Delayed",
    "email.rendering_failed": "Template not rendered",
    "webhook.test": "Test",
    "reputation.paused": "Sending is paused",
}


def paragraph(type_: str, timestamp: str, data: Mapping[str, Any]) -> str:
    """Lines of plain text without a blank line; *timestamp* as written, *data* as in the other formats."""
    return "\n".join(_lines(type_, timestamp, data))


def _lines(type_: str, timestamp: str, data: Mapping[str, Any]) -> Iterator[str]:
    facts = ", ".join(_facts(data))
    yield f"{_HEADLINES.get(type_, type_)}{f' ({facts})' if facts else ''} at {timestamp}"
    for recipient in data.get("recipients", ()):
        said = " ".join(_flat(part) for part in (recipient["status"], recipient["diagnostic"]) if part)
        yield f"  {_flat(recipient['email'])}{': ' + said if said else ''}"
    if mail := data.get("mail"):
        names = (data.get("message_id"), mail.get("from"), mail.get("subject"))
        yield "  mail {} from {}, subject: {}".format(*map(_flat, names))
    if message := data.get("message"):
        yield f"  {_flat(message)}"
    if data.get("truncated"):
        yield "  (shortened)"


def _facts(data: Mapping[str, Any]) -> Iterator[str]:
    for section in ("bounce", "complaint", "delivery", "reject", "delay", "rendering_failure"):
        for name, value in data.get(section, {}).items():
            if name == "counts":
                yield "counts" if value else "does not count"
            elif name != "processing_ms" and value:
                yield _flat(value)


def _flat(value: object) -> str:
    """*text* on one line, whatever a server answered."""
    return " ".join(str(value).split()) if value else "unknown"
