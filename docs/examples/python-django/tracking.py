"""Handle what anymail makes of a webhook: drop duplicates, suppress bad addresses."""

import logging
import os
from typing import Any

from anymail.signals import AnymailTrackingEvent, tracking
from django.dispatch import receiver
from store import Store

logger = logging.getLogger(__name__)
store = Store(os.environ.get("DATABASE", "events.db"))


@receiver(tracking)
def handle(event: AnymailTrackingEvent, **_: object) -> None:
    """Store what the event says of one recipient. Anymail calls this once for each recipient of an event."""
    new = store.handle([{"id": f"{event.event_id} {event.recipient}", **content(event)}])
    logger.info("events: 1 received, %d new", new)


def content(event: AnymailTrackingEvent) -> dict[str, Any]:
    """*event* in the form that the store reads. Anymail says "bounced" of transient bounces too."""
    recipients = [{"email": event.recipient}]
    source = event.esp_event or {}
    if event.event_type == "bounced":
        kind = source.get("bounce", {}).get("bounceType", "").lower()
        return {"type": "email.bounced", "data": {"bounce": {"class": kind}, "recipients": recipients}}
    if event.event_type == "complained":
        kind = source.get("complaint", {}).get("complaintFeedbackType")
        return {"type": "email.complained", "data": {"complaint": {"feedback_type": kind}, "recipients": recipients}}
    return {"type": f"email.{event.event_type}", "data": {}}
