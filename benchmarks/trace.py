"""`python -m benchmarks.trace`: what following a mail costs, in log lines for each event and in a search's reads."""

import hashlib
import io
import json
import time
from datetime import UTC, datetime
from pathlib import Path

from aws_lambda_powertools import Logger

from lambdas.aws.dynamodb.backlog.compressed_batch import compress, decompress
from lambdas.domain.webhooks.delivery import Delivery, DeliveryBatch
from lambdas.domain.webhooks.webhook import NotificationFormat, WebhookId
from ops.troubleshooting.trail import Kind, is_about

MILLION = 1_000_000
PRICES = json.loads(Path(__file__).with_name("prices.json").read_text())
INSTANCE = "0b6f3c52-8d3e-4a51-9a44-2f7d1c9e5b10"
MAIL = "0100019aa1b2c3d4-11111111-2222-3333-4444-555555555555-000000"
ID = "msg_0a1b2c3d4e5f60718293a4b5c6d7e8f9"
READ_UNIT = 8_192  # bytes of a query that is not consistent
_written = io.StringIO()
_logger = Logger(service="delivery", stream=_written)
_NOW = datetime(2026, 11, 21, tzinfo=UTC)


def line(message: str, **facts: object) -> int:
    """The bytes of a log line, with its end."""
    begin = _written.tell()
    _logger.info(message, extra=facts)
    return _written.tell() - begin


def batch(size: int) -> DeliveryBatch:
    """Deliveries of different mails to different recipients, as long as real ones."""
    deliveries = tuple(
        Delivery(
            id=f"msg_{number:032x}",
            type="email.delivered",
            timestamp=_NOW,
            created_at=_NOW,
            format=NotificationFormat.STANDARD_WEBHOOKS,
            body=_body(number),
            headers={"content-type": "application/json"},
            message_id=f"{MAIL[:-6]}{number:06}",
        )
        for number in range(size)
    )
    return DeliveryBatch(instance_id=INSTANCE, webhook_id=WebhookId(INSTANCE), attempt=1, deliveries=deliveries)


def _body(number: int) -> str:
    who = f"recipient.{number * 7919}@customer-{number}.example.org"
    mail = {"sent_at": "2026-11-21T04:00:00.123Z", "from": "app@mail.agency.gov", "to": [who], "subject": "Your order"}
    data = {
        "instance_id": INSTANCE,
        "binding_id": INSTANCE,
        "message_id": f"{MAIL[:-6]}{number:06}",
        "mail": {**mail, "tags": {"ses:source-ip": ["198.51.100.7"], "ses:from-domain": ["mail.agency.gov"]}},
        "recipients": [{"email": who, "status": None, "diagnostic": None}],
        "delivery": {"smtp_response": f"250 2.0.0 OK queued as {_random(number)}", "processing_ms": 546},
    }
    return json.dumps({"type": "email.delivered", "timestamp": "2026-11-21T04:00:01.123Z", "data": data})


def _random(number: int) -> str:
    """What does not compress, as a receiving server's own id."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def search(size: int) -> tuple[float, float, float]:
    """Of a search over a million deliveries kept in batches of *size*: read units, CPU seconds, $."""
    whole = batch(size)
    payload = compress(whole)
    rounds = max(1, 20_000 // size)
    began = time.process_time()
    for _ in range(rounds):
        for delivery in decompress(payload).deliveries:
            is_about(delivery, "nobody@nowhere.example.org", Kind.RECIPIENT)
    seconds = (time.process_time() - began) / (rounds * size) * MILLION
    units = MILLION / size * (len(payload) + 200) / READ_UNIT
    return units, seconds, units / MILLION * PRICES["dynamodb_read_unit_per_million"]


def shared(message: str, name: str, ids: list[object], row: list[object], events: int, each: int) -> float:
    """The bytes of an event's share in a line about so many, *each* of one instance or webhook with these *ids*."""
    return line(message, **{name: [[*ids, [row] * each]] * (events // each)}) / events


def main() -> None:
    """Print both tables."""
    facts = {"instance_id": INSTANCE, "webhook_id": INSTANCE}
    ids = {"message_id": MAIL, "delivery_id": ID}
    event = line("event recorded", instance_id=INSTANCE, type="delivery", message_id=MAIL, delivery_ids=[ID])
    attempt = line("attempt succeeded", **facts, **ids, type="email.delivered", attempt=1, status="200", ms=57)
    sizes: list[tuple[str, float]] = [("event recorded", event), ("attempt succeeded", attempt)]
    recorded: list[object] = [MAIL, "delivery", [ID]]
    succeeded: list[object] = [ID, 1, "200", 57]
    for events, each in ((2, 1), (100, 1), (100, 100)):
        of = f", {events} a line, {each} each"
        sizes.append(("recorded" + of, shared("events recorded", "instances", [INSTANCE], recorded, events, each)))
        owner: list[object] = [INSTANCE, INSTANCE]
        sizes.append(("succeeded" + of, shared("attempts succeeded", "webhooks", owner, succeeded, events, each)))
    print("log line                         bytes an event   $ per million")
    for name, size in sizes:
        print(f"{name:<32} {size:>14,.0f}   {size * MILLION / 1e9 * PRICES['logs_per_gb']:.2f}")
    print("\nsearch of a million deliveries   read units   CPU s       $")
    for size in (50, 10, 1):
        units, seconds, dollars = search(size)
        print(f"kept in batches of {size:<13} {units:>10,.0f} {seconds:>7.1f} {dollars:>7.4f}")
    print("\nindex items, one per recipient and event: $ per million", end=" ")
    print(f"{PRICES['dynamodb_write_unit_per_million']:.3f}")


if __name__ == "__main__":
    main()
