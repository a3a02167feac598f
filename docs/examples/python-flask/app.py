"""Receive webhooks with Flask: verify, drop duplicates, suppress bad addresses, answer fast."""

import os
from typing import Any

from binding import credential
from flask import Flask, request
from standardwebhooks import Webhook, WebhookVerificationError
from store import Store

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 300_000  # bytes; a batch has at most 256 KB
webhook = Webhook(credential("webhook_secret"))
store = Store(os.environ.get("DATABASE", "events.db"))


@app.post("/webhooks/ses")
def ses() -> tuple[str, int]:
    """Handle one request. 401 if it was not signed with our secret, 204 as soon as its events are stored."""
    body = request.get_data()  # the bytes as they came: the signature is over these
    try:
        message = webhook.verify(body, dict(request.headers))
    except WebhookVerificationError:
        return "The signature does not match", 401
    events = events_of(message, request.headers["webhook-id"])
    app.logger.warning("events: %d received, %d new", len(events), store.handle(events))
    return "", 204


def events_of(message: dict[str, Any], webhook_id: str) -> list[dict[str, Any]]:
    """One event, whose id is the header, or those of a batch, in which each has an id of its own."""
    return message["data"] if message["type"] == "batch" else [{**message, "id": webhook_id}]


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(os.environ.get("PORT", "8080")))
