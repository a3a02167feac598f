"""Receive webhooks with FastAPI: verify, drop duplicates, suppress bad addresses, answer fast."""

import logging
import os
from typing import Annotated

from binding import credential
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from standardwebhooks import Webhook, WebhookVerificationError
from store import Store

MAX_BODY = 300_000  # bytes; a batch has at most 256 KB

app = FastAPI()
webhook = Webhook(credential("webhook_secret"))
store = Store(os.environ.get("DATABASE", "events.db"))
logger = logging.getLogger("uvicorn.error")


async def verified(request: Request) -> list[dict]:
    """The request's events, each with its id; 401 if it was not signed with our secret."""
    body = b""
    async for chunk in request.stream():  # the bytes as they come: the signature is over these
        body += chunk
        if len(body) > MAX_BODY:
            raise HTTPException(413)
    try:
        message = webhook.verify(body, dict(request.headers))
    except WebhookVerificationError as error:
        raise HTTPException(401, "The signature does not match") from error
    if message["type"] == "batch":
        return message["data"]
    return [{**message, "id": request.headers["webhook-id"]}]


@app.post("/webhooks/ses", status_code=204)
async def ses(events: Annotated[list[dict], Depends(verified)]) -> Response:
    """Answer 204 as soon as the events are stored. The database is asked in a thread, so that the loop goes on."""
    new = await run_in_threadpool(store.handle, events)
    logger.info("events: %d received, %d new", len(events), new)
    return Response(status_code=204)


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8080")))
