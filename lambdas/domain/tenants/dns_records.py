"""The DNS records a sending domain needs: exact, ready to paste.

DKIM: https://docs.aws.amazon.com/ses/latest/dg/send-email-authentication-dkim-easy.html, MAIL FROM:
https://docs.aws.amazon.com/ses/latest/dg/mail-from.html, DMARC: RFC 7489.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

TTL = 600  # s: short while a domain is being set up
SPF = "v=spf1 include:amazonses.com ~all"


class RecordType(StrEnum):
    """The kinds of record that occur."""

    CNAME = "CNAME"
    MX = "MX"
    TXT = "TXT"


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsRecord:
    """One record. `name` is fully qualified without a final dot, `value` unquoted; `purpose` is for people."""

    type: RecordType
    name: str
    value: str
    purpose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dmarc:
    """What receivers do with mail that fails DMARC, and where they send reports. Recipients are bare addresses."""

    policy: str
    aggregate: Sequence[str] = ()
    failure: Sequence[str] = ()

    def text(self) -> str:
        """The TXT record's value."""
        tags = ["v=DMARC1", f"p={self.policy}", *_recipients("rua", self.aggregate), *_recipients("ruf", self.failure)]
        return "; ".join(tags)


def _recipients(tag: str, addresses: Sequence[str]) -> list[str]:
    unique = dict.fromkeys(addresses)
    return [f"{tag}={','.join('mailto:' + address for address in unique)}"] if unique else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Dkim:
    """Easy DKIM's tokens and the zone in which they are signed, both from SES."""

    tokens: Sequence[str]
    zone: str


def required_records(domain: str, *, dkim: Dkim, dmarc: Dmarc, mail_from: str, region: str) -> tuple[DnsRecord, ...]:
    """Every record *domain* needs. *mail_from* is the full MAIL FROM domain, or empty."""
    return (
        *_dkim(domain, dkim),
        DnsRecord(type=RecordType.TXT, name=f"_dmarc.{domain}", value=dmarc.text(), purpose="DMARC policy"),
        *_spf(domain, mail_from=mail_from, region=region),
    )


def _dkim(domain: str, dkim: Dkim) -> list[DnsRecord]:
    return [
        DnsRecord(
            type=RecordType.CNAME,
            name=f"{token}._domainkey.{domain}",
            value=f"{token}.{dkim.zone}",
            purpose="DKIM: proves to SES that the domain is yours, and signs your mail",
        )
        for token in dkim.tokens
    ]


def _spf(domain: str, *, mail_from: str, region: str) -> list[DnsRecord]:
    if not mail_from:
        purpose = "SPF; merge it with the domain's SPF record if there is one, two are invalid"
        return [DnsRecord(type=RecordType.TXT, name=domain, value=SPF, purpose=purpose)]
    server = f"10 feedback-smtp.{region}.amazonses.com"
    return [
        DnsRecord(type=RecordType.MX, name=mail_from, value=server, purpose="MAIL FROM: the only MX of this name"),
        DnsRecord(type=RecordType.TXT, name=mail_from, value=SPF, purpose="SPF of the MAIL FROM domain"),
    ]


def as_json(record: DnsRecord) -> dict[str, str | int]:
    """The record as bindings and instructions hold it."""
    return {
        "type": record.type.value,
        "name": record.name,
        "value": record.value,
        "ttl": TTL,
        "purpose": record.purpose,
    }


def as_line(record: DnsRecord) -> str:
    """The record as a line of a zone file."""
    value = f'"{record.value}"' if record.type is RecordType.TXT else f"{record.value}."
    return f"{record.name}. {TTL} IN {record.type.value} {value}"
