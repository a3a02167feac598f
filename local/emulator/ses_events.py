"""SES's event publishing: the JSON that SES sends to a configuration set's SNS topic.

Shapes: "Examples of event data that Amazon SES publishes to Amazon SNS" in the SES developer guide, and captures.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.header import decode_header, make_header
from typing import Any

from local.emulator.simulator import Fate, address

HEADER_LIMIT = 10_240  # bytes: SES cuts the headers of an event there
TRANSIT = timedelta(milliseconds=546)  # from SES to the receiving server
FEEDBACK = timedelta(milliseconds=1_200)  # until a bounce, an answer or a complaint arrives
EXPIRY = timedelta(hours=14)  # SES retries for so long after a delay
_OUTGOING_IP = "192.0.2.10"
_SUPPRESSED = (
    "Amazon SES has suppressed sending to this address because it has a recent history of bouncing as an invalid "
    "address. For more information about how to remove an address from the suppression list, see the Amazon SES "
    "Developer Guide: https://docs.aws.amazon.com/ses/latest/DeveloperGuide/remove-from-suppressionlist.html"
)
_COMMON = {"from": "From", "to": "To", "cc": "Cc", "replyTo": "Reply-To"}  # lists of addresses
_COMMON_TEXT = {"date": "Date", "subject": "Subject"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SentMail:
    """A mail that SES accepted. `headers` in order; `tags` without the ones SES adds for each event."""

    message_id: str
    sent_at: datetime
    source: str
    source_arn: str
    account: str
    region: str
    destination: tuple[str, ...]
    headers: tuple[tuple[str, str], ...]
    tags: Mapping[str, Sequence[str]]


Event = dict[str, Any]


def ses_id(moment: datetime, region: str) -> str:
    """A message or feedback id as SES makes them: `01`, the region's number, the time in hex, a UUID, a counter."""
    number = {"us-east-1": "00", "us-west-2": "01", "eu-west-1": "02", "eu-central-1": "07"}.get(region, "11")
    milliseconds = int(moment.timestamp() * 1000)
    return f"01{number}{milliseconds:012x}-{uuid.uuid4()}-000000"


def after_send(mail: SentMail, fate: Fate, recipients: Sequence[str]) -> list[Event]:
    """The events that SES publishes for *recipients* of one domain after Send, in order."""
    later = mail.sent_at + FEEDBACK
    match fate:
        case Fate.DELIVERED:
            return [delivery(mail, recipients)]
        case Fate.BOUNCED:
            return [bounce(mail, recipients, "Permanent", "General", "5.1.1", "smtp; 550 5.1.1 user unknown", at=later)]
        case Fate.SOFT_BOUNCED:
            reason = "smtp; 552 5.2.2 mailbox full"
            return [bounce(mail, recipients, "Transient", "MailboxFull", "5.2.2", reason, at=later)]
        case Fate.SUPPRESSED:
            return [bounce(mail, recipients, "Permanent", "Suppressed", "5.1.1", _SUPPRESSED, at=later)]
        case Fate.AUTO_REPLIED:
            return [delivery(mail, recipients), auto_reply(mail, recipients, at=later)]
        case Fate.COMPLAINED:
            return [delivery(mail, recipients), complaint(mail, recipients, at=later)]
        case Fate.DELAYED:
            return [delay(mail, recipients, at=later), delivery(mail, recipients)]


def send(mail: SentMail) -> Event:
    """SES accepted the mail."""
    return {"eventType": "Send", "mail": _mail(mail), "send": {}}


def reject(mail: SentMail, reason: str) -> Event:
    """SES accepted the mail, then found a virus in it and did not send it."""
    return {"eventType": "Reject", "mail": _mail(mail), "reject": {"reason": reason}}


def delivery(mail: SentMail, recipients: Sequence[str]) -> Event:
    """A receiving server took the mail."""
    return {
        "eventType": "Delivery",
        "mail": _mail(mail, {"ses:outgoing-ip": [_OUTGOING_IP]}),
        "delivery": {
            "timestamp": stamp(mail.sent_at + TRANSIT),
            "processingTimeMillis": TRANSIT // timedelta(milliseconds=1),
            "recipients": [address(recipient) for recipient in recipients],
            "smtpResponse": "250 2.6.0 Message received",
            "reportingMTA": _server(mail),
        },
    }


def bounce(
    mail: SentMail, recipients: Sequence[str], kind: str, subtype: str, status: str, diagnostic: str, *, at: datetime
) -> Event:
    """A receiving server, or SES's suppression list, refused the mail."""
    details = {"action": "failed", "status": status, "diagnosticCode": diagnostic}
    bounced = [{"emailAddress": address(recipient), **details} for recipient in recipients]
    return _bounce(mail, kind, subtype, bounced, at, {"reportingMTA": f"dns; {_server(mail)}"})


def auto_reply(mail: SentMail, recipients: Sequence[str], *, at: datetime) -> Event:
    """An out-of-office answer, which SES publishes as a transient bounce with the address only."""
    return _bounce(mail, "Transient", "General", [{"emailAddress": address(item)} for item in recipients], at, {})


def complaint(mail: SentMail, recipients: Sequence[str], *, at: datetime) -> Event:
    """A recipient marked the mail as spam."""
    return {
        "eventType": "Complaint",
        "complaint": {
            "feedbackId": ses_id(at, mail.region),
            "complaintSubType": None,
            "complainedRecipients": [{"emailAddress": address(recipient)} for recipient in recipients],
            "timestamp": stamp(at),
            "userAgent": "Amazon SES Mailbox Simulator",
            "complaintFeedbackType": "abuse",
            "arrivalDate": stamp(at),
        },
        "mail": _mail(mail),
    }


def delay(mail: SentMail, recipients: Sequence[str], *, at: datetime) -> Event:
    """A receiving server does not take the mail for now."""
    details = {"status": "4.4.1", "diagnosticCode": "smtp; 421 4.4.1 Unable to connect to remote host"}
    return {
        "eventType": "DeliveryDelay",
        "mail": _mail(mail),
        "deliveryDelay": {
            "timestamp": stamp(at),
            "delayType": "TransientCommunicationFailure",
            "expirationTime": stamp(mail.sent_at + EXPIRY),
            "delayedRecipients": [{"emailAddress": address(recipient), **details} for recipient in recipients],
            "reportingMTA": _server(mail),
        },
    }


def stamp(moment: datetime) -> str:
    """A time as SES writes it: UTC, milliseconds, Z."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _bounce(
    mail: SentMail, kind: str, subtype: str, bounced: list[dict[str, str]], at: datetime, extra: Mapping[str, str]
) -> Event:
    return {
        "eventType": "Bounce",
        "bounce": {
            "feedbackId": ses_id(at, mail.region),
            "bounceType": kind,
            "bounceSubType": subtype,
            "bouncedRecipients": bounced,
            "timestamp": stamp(at),
            **extra,
        },
        "mail": _mail(mail),
    }


def _mail(mail: SentMail, more_tags: Mapping[str, Sequence[str]] | None = None) -> dict[str, Any]:
    headers, truncated = _cut(mail.headers)
    return {
        "timestamp": stamp(mail.sent_at),
        "source": mail.source,
        "sourceArn": mail.source_arn,
        "sendingAccountId": mail.account,
        "messageId": mail.message_id,
        "destination": [address(recipient) for recipient in mail.destination],
        "headersTruncated": truncated,
        "headers": headers,
        "commonHeaders": _common_headers(mail),
        "tags": {name: list(values) for name, values in {**mail.tags, **(more_tags or {})}.items()},
    }


def _cut(headers: Iterable[tuple[str, str]]) -> tuple[list[dict[str, str]], bool]:
    kept: list[dict[str, str]] = []
    size = 0
    for name, value in headers:
        size += len(name) + len(value) + 4
        if size > HEADER_LIMIT:
            return kept, True
        kept.append({"name": name, "value": value})
    return kept, False


def _common_headers(mail: SentMail) -> dict[str, Any]:
    found = {name.lower(): value for name, value in mail.headers}
    lists = {key: _addresses(found[name.lower()]) for key, name in _COMMON.items() if name.lower() in found}
    texts = {key: _decoded(found[name.lower()]) for key, name in _COMMON_TEXT.items() if name.lower() in found}
    return {**lists, **texts, "messageId": mail.message_id}


def _decoded(value: str) -> str:
    return str(make_header(decode_header(value)))


def _addresses(value: str) -> list[str]:
    return [part.strip() for part in value.split(",")]


def _server(mail: SentMail) -> str:
    region = "" if mail.region == "us-east-1" else f".{mail.region}"
    return f"a8-70.smtp-out{region}.amazonses.com"
