"""What the pipeline is fed: SES's events as a healthy platform makes them, 2.8 KB each, the same on every run."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any

SEED = 7
BOUNCES = 0.02  # of all events
COMPLAINTS = 0.0004
BEGINNING = datetime(2026, 11, 20, 12, tzinfo=UTC)
_HEADERS = [
    {"name": "From", "value": "Agency <noreply@mail.agency.example>"},
    {"name": "Subject", "value": "Your application has been received"},
    {"name": "MIME-Version", "value": "1.0"},
    {"name": "Content-Type", "value": 'multipart/alternative; boundary="----=_Part_7307378_1629847660.1516840721503"'},
    {"name": "List-Unsubscribe", "value": "<https://mail.agency.example/unsubscribe/0b6f6f0a7c>"},
    {"name": "List-Unsubscribe-Post", "value": "List-Unsubscribe=One-Click"},
    {"name": "DKIM-Signature", "value": "v=1; a=rsa-sha256; c=relaxed/simple; " + "bh=0b6f6f0a7c; b=5a1f3d" * 30},
    {"name": "Received-SPF", "value": "pass (sender IP is 192.0.2.17) smtp.mailfrom=bounce.mail.agency.example " * 4},
]


def tenant(number: int) -> str:
    """The instance id of a tenant."""
    return f"tenant-{number:05d}"


def binding(number: int) -> str:
    """The binding that sends for a tenant."""
    return f"binding-{number:05d}"


def events(count: int, *, tenants: int, skewed: bool = False) -> Iterator[str]:
    """*count* message bodies of the events queue, of tenants picked by a seeded chance.

    Evenly, or *skewed* as platforms are: the second busiest tenant sends half as much as the busiest, the third a
    third, and so on (Zipf's law).
    """
    chance = random.Random(SEED)
    shares = list(accumulate(1 / (rank + 1) if skewed else 1.0 for rank in range(tenants)))
    owners = chance.choices(range(tenants), cum_weights=shares, k=count)
    for number, owner in enumerate(owners):
        yield json.dumps(_event(_kind(chance.random()), number, owner))


def events_in_turn(count: int) -> Iterator[str]:
    """*count* deliveries, each of the next tenant."""
    for number in range(count):
        yield json.dumps(_event("Delivery", number, number))


def _kind(roll: float) -> str:
    if roll < COMPLAINTS:
        return "Complaint"
    return "Bounce" if roll < COMPLAINTS + BOUNCES else "Delivery"


def _event(kind: str, number: int, owner: int) -> dict[str, Any]:
    sent_at = BEGINNING + timedelta(milliseconds=number)
    happened = _iso(sent_at + timedelta(seconds=2))
    address = f"recipient-{number}@example.org"
    own = {
        "Delivery": {
            "timestamp": happened,
            "processingTimeMillis": 2000,
            "recipients": [address],
            "smtpResponse": "250 2.6.0 Message received",
            "reportingMTA": "a8-52.smtp-out.amazonses.com",
        },
        "Bounce": {
            "timestamp": happened,
            "bounceType": "Permanent",
            "bounceSubType": "NoEmail",
            "bouncedRecipients": [
                {"emailAddress": address, "action": "failed", "status": "5.1.1", "diagnosticCode": "550 5.1.1 unknown"}
            ],
            "feedbackId": f"{number:016x}-bounce",
        },
        "Complaint": {
            "timestamp": happened,
            "complainedRecipients": [{"emailAddress": address}],
            "complaintFeedbackType": "abuse",
            "feedbackId": f"{number:016x}-complaint",
        },
    }[kind]
    return {"eventType": kind, kind.lower(): own, "mail": _mail(number, owner, address, _iso(sent_at))}


def _mail(number: int, owner: int, address: str, sent_at: str) -> dict[str, Any]:
    sender = "Agency <noreply@mail.agency.example>"
    return {
        "timestamp": sent_at,
        "source": sender,
        "sourceArn": "arn:aws:ses:us-east-1:123456789012:identity/mail.agency.example",
        "sendingAccountId": "123456789012",
        "messageId": f"0100018c{number:08x}-e9aedb9a-02f9-4d12-a87d-dd0099a07f8a-000000",
        "destination": [address],
        "headersTruncated": False,
        "headers": [*_HEADERS, {"name": "To", "value": address}],
        "commonHeaders": {"from": [sender], "to": [address], "subject": _HEADERS[1]["value"]},
        "tags": {
            "ses:configuration-set": [f"ses-feedback-{tenant(owner)}"],
            "ses:source-ip": ["192.0.2.17"],
            "ses:from-domain": ["mail.agency.example"],
            "ses:caller-identity": [f"ses-feedback-{binding(owner)}"],
            "ses:outgoing-ip": ["54.240.8.52"],
        },
    }


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


QUEUE_MESSAGE = json.dumps(
    {
        "instance_id": tenant(0),
        "webhook_id": "webhook-00000",
        "attempt": 1,
        "deliveries": [
            {
                "id": "msg_0123456789abcdef0123456789abcdef",
                "type": "email.bounced",
                "timestamp": "2026-11-20T12:00:02Z",
                "created_at": "2026-11-20T12:00:03Z",
                "format": "standard-webhooks",
                "body": "{}",
                "headers": {},
            }
        ],
    }
)


def samples() -> Iterator[str]:
    """An event of each kind that the workload has."""
    for number, kind in enumerate(("Delivery", "Bounce", "Complaint")):
        yield json.dumps(_event(kind, number, 0))
