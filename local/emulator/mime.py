"""A mail as an application passes it to SES, by SES v1, SES v2 or SMTP."""

import email.policy
import email.utils
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from email.header import Header
from email.parser import BytesHeaderParser

CONFIGURATION_SET = "X-SES-CONFIGURATION-SET"
MESSAGE_TAGS = "X-SES-MESSAGE-TAGS"
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"  # what SES rejects, for tests


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A mail passed to SES. `operation`: SES's name for it in tags of events. A set of None: the identity's default."""

    source: str
    destination: tuple[str, ...]
    headers: tuple[tuple[str, str], ...]
    configuration_set: str | None
    tags: Mapping[str, Sequence[str]]
    operation: str
    infected: bool = False


def submitted(
    raw: bytes,
    *,
    operation: str,
    source: str = "",
    destination: Iterable[str] = (),
    configuration_set: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> Submission:
    """A raw mail; what the call does not name is read from the headers."""
    headers = tuple(
        (name, str(value).replace("\r\n", "").replace("\n", ""))
        for name, value in BytesHeaderParser(policy=email.policy.compat32).parsebytes(raw).items()
    )
    first = {name.lower(): value for name, value in reversed(headers)}
    written = _tags(first.get(MESSAGE_TAGS.lower(), ""))
    return Submission(
        source=source or first.get("from", ""),
        destination=tuple(destination) or tuple(_recipients(headers)),
        headers=headers,
        configuration_set=configuration_set or first.get(CONFIGURATION_SET.lower(), "").strip() or None,
        tags={name: [value] for name, value in {**written, **(tags or {})}.items()},
        operation=operation,
        infected=EICAR in raw,
    )


def composed(
    sender: str, destination: Mapping[str, Sequence[str]], subject: str, reply_to: Sequence[str] = ()
) -> bytes:
    """The headers SES writes for a mail given in parts; *destination* holds ToAddresses and CcAddresses."""
    pairs = [
        ("From", sender),
        ("Reply-To", ", ".join(reply_to)),
        ("To", ", ".join(destination.get("ToAddresses") or ())),
        ("Cc", ", ".join(destination.get("CcAddresses") or ())),
        ("Subject", subject if subject.isascii() else Header(subject, "utf-8", maxlinelen=998).encode()),
        ("Date", email.utils.formatdate(usegmt=True)),
        ("MIME-Version", "1.0"),
        ("Content-Type", "text/plain; charset=UTF-8"),
    ]
    lines = [f"{name}: {' '.join(value.splitlines())}" for name, value in pairs if value]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def recipients(destination: Mapping[str, Sequence[str]]) -> list[str]:
    """Everyone in SES's Destination structure."""
    return [item for kind in ("ToAddresses", "CcAddresses", "BccAddresses") for item in destination.get(kind) or ()]


def _recipients(headers: Iterable[tuple[str, str]]) -> list[str]:
    values = [value for name, value in headers if name.lower() in {"to", "cc", "bcc"}]
    return [
        email.utils.formataddr(pair) if pair[0] else pair[1] for pair in email.utils.getaddresses(values) if pair[1]
    ]


def _tags(value: str) -> dict[str, str]:
    pairs = (item.partition("=") for item in value.replace(";", ",").split(",") if "=" in item)
    return {name.strip(): text.strip() for name, _, text in pairs}
