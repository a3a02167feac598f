"""What must hold for any input, target by target. A check raises when it does not."""

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import pycurl
from standardwebhooks import Webhook as StandardWebhook

from lambdas.aws.sqs.delivery_queue import decode
from lambdas.broker.osb.errors import BrokerError
from lambdas.broker.osb.parameters import WebhookRules, bind_ses, provision_ses, update_ses
from lambdas.delivery.endpoint import read_url
from lambdas.domain.events.feedback_event import FeedbackEvent
from lambdas.domain.reputation.ledger import deliveries_by_bucket, ledger_entry
from lambdas.domain.tenants.instance import BindRequest, SesParameters
from lambdas.domain.webhooks.address_rules import AddressRules, BadUrl, basic_auth
from lambdas.domain.webhooks.attempt import Response, classify
from lambdas.domain.webhooks.payload import NOTIFIED, render_event
from lambdas.domain.webhooks.retry_schedule import retry_after
from lambdas.domain.webhooks.signature import BadSecret, new_secret, signed_headers, signing_key
from lambdas.domain.webhooks.webhook import NotificationFormat, Webhook, WebhookId
from lambdas.domain.webhooks.webhook_url import checked_url
from lambdas.feedback.parse_message import NotAnEvent, parse_message

Check = Callable[[Any], None]
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
BODY_LIMIT = 20 * 1024  # bytes: Standard Webhooks asks for less
PUBLIC = AddressRules()
RULES = WebhookRules(addresses=PUBLIC, private_names=False)
BASE = BindRequest(service_id="service", plan_id="plan")
CURRENT = SesParameters(admin_email="admin@agency.example", domain="agency.example")


def parser(body: str) -> None:
    """Any text has a reading; an event can be counted and written in every format, under 20 KB."""
    for reading in parse_message(body):
        if isinstance(reading, NotAnEvent):
            continue
        deliveries_by_bucket([reading], baseline=None, now=NOW)
        ledger_entry(reading, baseline=None, now=NOW)
        if reading.type in NOTIFIED:
            _renders(reading)


def _renders(event: FeedbackEvent) -> None:
    for form in NotificationFormat:
        webhook = Webhook(id=WebhookId("w"), instance_id="i", format=form)
        delivery = render_event(event, webhook, topic_arn="arn:aws:sns:us-east-1:000000000000:t", now=NOW)
        if len(delivery.body.encode()) > BODY_LIMIT:
            raise AssertionError(f"{form}: a body of {len(delivery.body.encode())} bytes")
        for name, value in delivery.headers.items():
            f"{name}: {value}".encode("ascii")


def parameters(values: Mapping[str, Any]) -> None:
    """Any object is taken or refused by an error that the platform can be told."""
    for take in (
        lambda: provision_ses(values),
        lambda: update_ses(values, current=CURRENT, domain="agency.example"),
        lambda: bind_ses(values, BASE, rules=RULES),
    ):
        try:
            take()
        except BrokerError as refused:
            str(refused).encode()


def webhook_url(url: str) -> None:
    """A URL that is taken means to the client what it meant to the check, and holds no userinfo any more."""
    try:
        plain, userinfo = checked_url(url, PUBLIC)
    except BadUrl:
        return
    seen, used = read_url(plain, PUBLIC), pycurl.CurlUrl(plain)
    if used.scheme != "https" or used.user is not None:
        raise AssertionError("scheme or userinfo")
    if (used.host or "").strip("[]").lower() != seen.host:
        raise AssertionError(f"checked {seen.host!r}, would connect to {used.host!r}")
    if int(used.port or 443) != seen.port:
        raise AssertionError(f"checked port {seen.port}, would connect to {used.port}")
    pycurl.CurlUrl(seen.url)
    if userinfo is not None:
        basic_auth(userinfo).encode("ascii")


def signature(case: tuple[str, bytes, str]) -> None:
    """A secret is a key or is refused; what we sign, the reference implementation verifies."""
    secret, body, message_id = case
    try:
        keys = [signing_key(secret)]
    except BadSecret:
        secret = new_secret()
        keys = [signing_key(secret)]
    now = datetime.now(UTC)
    headers = signed_headers(keys, message_id=message_id, body=json.dumps(body.decode()).encode(), now=now)
    StandardWebhook(secret).verify(json.dumps(body.decode()).encode(), headers)


def answer(case: tuple[int, str, bytes]) -> None:
    """Whatever a receiver answers is judged; a wait that it asks for is a number of seconds."""
    status, header, body = case
    classify(Response(status=status, retry_after=header, body=body), now=NOW)
    wait = retry_after(header, now=NOW)
    if wait is not None and not (math.isfinite(wait) and wait >= 0):
        raise AssertionError(f"a wait of {wait}")


def queue_message(body: str) -> None:
    """What is in the deliveries queue is a batch, or known not to be one."""
    try:
        decode(body)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return


CHECKS: dict[str, Check] = {
    "parser": parser,
    "parameters": parameters,
    "webhook URL": webhook_url,
    "signature": signature,
    "receiver's answer": answer,
    "queue message": queue_message,
}
