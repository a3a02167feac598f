"""How inputs are made up: by a seeded chance from real ones, and by hypothesis from nothing."""

import copy
import json
import random
import string
from collections.abc import Callable
from functools import cache
from typing import Any

from hypothesis import strategies as st

from benchmarks import workload

_ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 10**400, float("inf"), "", " ", "\x00", "\ud800", "é", "x" * 30_000),
    *([], {}, [[]], [{}], {"": ""}, "2026-11-21T12:00:00.000Z", "9999-99-99T99:99:99Z", "0001-01-01T00:00:00+14:00"),
    *("not-spam", "Permanent", "a@b", '"Name" <a@b>', "success@simulator.amazonses.com", "ses-feedback-"),
)
_URL_PARTS = (
    *(
        "https://",
        "HTTPS://",
        "http://",
        "//",
        "https:",
        "https:/\\",
        "app.example.gov",
        "127.0.0.1",
        "[::1]",
        "@",
        ":",
    ),
    *("user:pass", "%40", "/path", "?q=1", "#f", "\\", "\t", "\n", "é.example", "ⓔxample.com", "0x7f.1", "2130706433"),
    *(":443", ":0", ":99999", ":٣", "[::ffff:127.0.0.1]", "[fe80::1%25eth0]", "..", "xn--", "localhost", "%00", "。"),
    *(
        "a" * 64,
        ".",
        "-",
        "_",
        " ",
        "a.b.c.d.e",
        "//evil.example",
        ";",
        ",",
        "|",
        "{}",
        "^",
        "`",
        "\u202e",
        "ß.example",
    ),
)
_FIELDS = (
    *("admin_email", "domain", "mail_from_subdomain", "dmarc_report_aggregate_recipients", "bindings"),
    *("dmarc_report_failure_recipients", "enable_feedback_notifications", "notification_webhook", "source_ips"),
    *("notification_email", "notification_events", "notification_format", "notification_scope"),
    *("notification_batch", "notification_batch_seconds", "privatelink_instance_id", "unknown"),
)
_VALUES: tuple[Any, ...] = (
    *(*_ODD, "agency.gov", "a@agency.gov", "https://app.example.gov/x", "true", ["bounce"], ["a@agency.gov"]),
    *("10.0.0.0/8", ["192.0.2.0/24", "::/0"], {"b1": {"notification_webhook": "https://app.example.gov"}}, "instance"),
)
_ADJUST = (None, "", "5", "-5", "1e9", "9" * 400, "Sat, 21 Nov 2026 12:00:10 GMT", "Sat, 99 Zzz 0000 00:00:00 +9999")


def event_text(chance: random.Random) -> str:
    """A real event, some of its values replaced, removed or doubled, at times wrapped, at times cut as text."""
    value: Any = json.loads(chance.choice(_samples()))
    for _ in range(chance.randrange(5)):
        _mutate(value, chance)
    if chance.random() < 0.2:
        value = {"Type": chance.choice(("Notification", "Odd", None)), "Message": json.dumps(value)}
    text = json.dumps(value)
    return text if chance.random() < 0.8 else _scratched(text, chance)


@cache
def _samples() -> tuple[str, ...]:
    return tuple(workload.samples())


def _mutate(value: Any, chance: random.Random) -> None:
    """Change one place somewhere inside *value*."""
    while isinstance(value, dict | list) and value:
        keys: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = chance.choice(keys)
        inner = value[key]
        if isinstance(inner, dict | list) and inner and chance.random() < 0.8:
            value = inner
            continue
        if chance.random() < 0.25:
            del value[key]
        else:
            value[key] = copy.deepcopy(chance.choice(_ODD))  # what was put in may be changed by the next
        return


def _scratched(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text) + 1)
    return text[:at] + chance.choice(("", '"', "\\", "{", "\x00", "\ud800", "1e999")) + text[at + chance.randrange(9) :]


def parameters(chance: random.Random) -> dict[str, Any]:
    """Some of the known fields, with right and odd values."""
    return {chance.choice(_FIELDS): chance.choice(_VALUES) for _ in range(chance.randrange(1, 6))}


def url(chance: random.Random) -> str:
    """Pieces of URLs put together, mostly beginning well."""
    pieces = [chance.choice(_URL_PARTS) for _ in range(chance.randrange(1, 6))]
    start = "https://" if chance.random() < 0.7 else ""
    host = "app.example.gov" if chance.random() < 0.3 else ""
    return start + host + "".join(pieces)


def signing(chance: random.Random) -> tuple[str, bytes, str]:
    """A secret, right or odd, a body and a message id."""
    letters = string.ascii_letters + string.digits + "+/=_- \x00é"
    secret = chance.choice(("whsec_", "", "whsec")) + "".join(chance.choices(letters, k=chance.randrange(100)))
    return secret, chance.randbytes(chance.randrange(200)).decode("latin-1").encode(), f"msg_{chance.getrandbits(64):x}"


def answer(chance: random.Random) -> tuple[int, str, bytes]:
    """A status, a Retry-After header and a body."""
    header = chance.choice(_ADJUST) or "".join(chance.choices(string.printable, k=chance.randrange(20)))
    return chance.randrange(0, 1000), header, chance.randbytes(chance.randrange(2000))


def queue_text(chance: random.Random) -> str:
    """A message of the deliveries queue, changed somewhere."""
    value: Any = json.loads(workload.QUEUE_MESSAGE)
    for _ in range(chance.randrange(4)):
        _mutate(value, chance)
    return _scratched(json.dumps(value), chance)


MAKERS: dict[str, Callable[[random.Random], Any]] = {
    "parser": event_text,
    "parameters": parameters,
    "webhook URL": url,
    "signature": signing,
    "receiver's answer": answer,
    "queue message": queue_text,
}


@cache
def strategies() -> dict[str, st.SearchStrategy[Any]]:
    """Hypothesis's way to each target's inputs."""
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(_ODD)
    values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12)
    event = st.builds(
        _event_like,
        kind=st.sampled_from(
            ("Bounce", "Complaint", "Delivery", "Rendering Failure", "DeliveryDelay", "Reject", "Odd")
        ),
        own=st.dictionaries(st.sampled_from(_EVENT_FIELDS), values, max_size=6),
        mail=st.dictionaries(st.sampled_from(_MAIL_FIELDS), values, max_size=6),
    )
    return {
        "parser": event | st.text() | values.map(json.dumps),
        "parameters": st.dictionaries(
            st.sampled_from(_FIELDS) | st.text(), values | st.sampled_from(_VALUES), max_size=6
        ),
        "webhook URL": st.lists(st.sampled_from(_URL_PARTS) | st.text(max_size=8), max_size=6).map("".join)
        | st.text().map("https://".__add__),
        "signature": st.tuples(
            st.text(), st.text().map(lambda text: text.encode("utf-8", "replace")), st.just("msg_1")
        ),
        "receiver's answer": st.tuples(st.integers(0, 999), st.text() | st.sampled_from(_ADJUST[1:]), st.binary()),
        "queue message": st.text() | values.map(json.dumps),
    }


_EVENT_FIELDS = (
    *("bounceType", "bounceSubType", "bouncedRecipients", "complainedRecipients", "complaintFeedbackType", "timestamp"),
    *(
        "feedbackId",
        "recipients",
        "processingTimeMillis",
        "smtpResponse",
        "delayedRecipients",
        "errorMessage",
        "reason",
    ),
)
_MAIL_FIELDS = (
    "timestamp",
    "messageId",
    "source",
    "destination",
    "tags",
    "commonHeaders",
    "headers",
    "headersTruncated",
)


def _event_like(kind: str, own: dict[str, Any], mail: dict[str, Any]) -> str:
    section = {"Rendering Failure": "failure", "DeliveryDelay": "deliveryDelay"}.get(kind, kind.lower())
    return json.dumps({"eventType": kind, section: own, "mail": mail})
