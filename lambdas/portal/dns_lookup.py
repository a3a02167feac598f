"""What DNS says of the records a domain needs, asked of the function's own resolver, all at once."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import dns.exception
import dns.resolver

from lambdas.domain.tenants.dns_records import DnsRecord, RecordType
from lambdas.portal.pages.setup import LookedUp, RecordState

PATIENCE = 3.0  # s for one record, every server and retry included


def look_up(records: Sequence[DnsRecord], resolver: dns.resolver.Resolver | None = None) -> list[LookedUp]:
    """Each of *records* with its state. A name server that does not answer leaves a record unknown."""
    if not records:
        return []
    try:
        asked = resolver or dns.resolver.Resolver()
    except dns.exception.DNSException:  # no resolver is configured
        return [LookedUp(record=record, state=RecordState.UNKNOWN) for record in records]
    with ThreadPoolExecutor(len(records)) as pool:
        return list(pool.map(lambda record: _look_up(record, asked), records))


def _look_up(record: DnsRecord, resolver: dns.resolver.Resolver) -> LookedUp:
    try:
        answer = resolver.resolve(record.name + ".", record.type.value, lifetime=PATIENCE)
        present = tuple(_text(record.type, found) for found in answer)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return LookedUp(record=record, state=RecordState.MISSING)
    except (dns.exception.DNSException, OSError):
        return LookedUp(record=record, state=RecordState.UNKNOWN)
    return compared(record, present)


def compared(record: DnsRecord, present: tuple[str, ...]) -> LookedUp:
    """*record* against what is *present* under its name: for a TXT record only values of the same kind differ."""
    if any(_same(record, value) for value in present):
        return LookedUp(record=record, state=RecordState.FOUND)
    rivals = tuple(
        value for value in present if record.type is not RecordType.TXT or _kind(value) == _kind(record.value)
    )
    state = RecordState.DIFFERENT if rivals else RecordState.MISSING
    return LookedUp(record=record, state=state, present=rivals)


def _same(record: DnsRecord, value: str) -> bool:
    if record.type is RecordType.TXT:
        return "".join(value.split()) == "".join(record.value.split())
    return value.rstrip(".").lower() == record.value.rstrip(".").lower()


def _kind(text: str) -> str:
    """`v=spf1`, `v=DMARC1`: several TXT records share a name, and only one of a kind may be there."""
    return text.strip().split(";")[0].split()[0].lower() if text.strip() else ""


def _text(kind: RecordType, found: object) -> str:
    if kind is RecordType.TXT:
        return b"".join(getattr(found, "strings", ())).decode("utf-8", "replace")
    if kind is RecordType.MX:
        return f"{getattr(found, 'preference', 0)} {getattr(found, 'exchange', '')}"
    return str(found)
