"""What DNS says of the records that a domain needs: found, missing, different, or not known now."""

from collections.abc import Mapping, Sequence
from typing import Any

import dns.message
import dns.name
import dns.resolver
import dns.rrset
import pytest

from lambdas.domain.tenants.dns_records import DnsRecord, RecordType
from lambdas.portal.dns_lookup import compared, look_up
from lambdas.portal.pages.setup import RecordState

DKIM = DnsRecord(type=RecordType.CNAME, name="t._domainkey.a.gov", value="t.dkim.amazonses.com", purpose="DKIM")
MX = DnsRecord(type=RecordType.MX, name="mail.a.gov", value="10 feedback-smtp.us-east-1.amazonses.com", purpose="MX")
SPF = DnsRecord(type=RecordType.TXT, name="mail.a.gov", value="v=spf1 include:amazonses.com ~all", purpose="SPF")
DMARC = DnsRecord(type=RecordType.TXT, name="_dmarc.a.gov", value="v=DMARC1; p=reject", purpose="DMARC")
_error: Any = dns.resolver  # its exceptions have no types
NO_ANSWER: Exception = _error.NoAnswer(response=dns.message.make_response(dns.message.make_query("a.gov.", "CNAME")))


class Zone(dns.resolver.Resolver):
    """A resolver that answers from a zone file's lines, with dnspython's own parsing and exceptions."""

    def __init__(self, lines: Mapping[tuple[str, str], Sequence[str] | Exception]) -> None:
        super().__init__(configure=False)
        self.lines = lines
        self.asked: list[tuple[str, float]] = []

    def resolve(self, qname: Any, rdtype: Any = "A", *_: Any, lifetime: float | None = None, **__: Any) -> Any:
        """The records of a name."""
        self.asked.append((str(qname), lifetime or 0))
        found = self.lines.get((str(qname), str(rdtype)), _error.NXDOMAIN())
        if isinstance(found, Exception):
            raise found
        return dns.rrset.from_text(dns.name.from_text(str(qname)), 60, "IN", str(rdtype), *found)


def state(record: DnsRecord, *present: str) -> RecordState:
    """The state of *record* where the zone holds *present* under its name."""
    (found,) = look_up([record], Zone({(record.name + ".", record.type.value): present}))
    return found.state


@pytest.mark.parametrize(
    ("record", "present"),
    [
        (DKIM, "t.dkim.amazonses.com."),
        (DKIM, "T.DKIM.amazonses.COM."),
        (MX, "10 feedback-smtp.us-east-1.amazonses.com."),
        (SPF, '"v=spf1 include:amazonses.com ~all"'),
        (SPF, '"v=spf1 include:" "amazonses.com ~all"'),
        (DMARC, '"v=DMARC1;p=reject"'),
    ],
)
def test_a_record_is_found_however_dns_writes_it(record: DnsRecord, present: str) -> None:
    """With a final dot, in other case, as several strings, with other blanks."""
    assert state(record, present) is RecordState.FOUND


@pytest.mark.parametrize(
    ("record", "present"),
    [
        (DKIM, "other.dkim.amazonses.com."),
        (MX, "10 mail.example.net."),
        (MX, "20 feedback-smtp.us-east-1.amazonses.com."),
        (SPF, '"v=spf1 -all"'),
        (DMARC, '"v=DMARC1; p=none"'),
    ],
)
def test_another_value_in_its_place_is_shown(record: DnsRecord, present: str) -> None:
    """So that the tenant sees what to replace."""
    (found,) = look_up([record], Zone({(record.name + ".", record.type.value): [present]}))
    assert found.state is RecordState.DIFFERENT
    assert found.present


def test_other_texts_under_a_name_are_no_rivals() -> None:
    """A domain's verification for somebody else stands beside its SPF."""
    assert state(SPF, '"google-site-verification=x"') is RecordState.MISSING
    assert state(SPF, '"google-site-verification=x"', '"v=spf1 include:amazonses.com ~all"') is RecordState.FOUND
    assert compared(SPF, ("", "  ")).state is RecordState.MISSING


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (_error.NXDOMAIN(), RecordState.MISSING),
        (NO_ANSWER, RecordState.MISSING),
        (_error.NoNameservers(), RecordState.UNKNOWN),
        (_error.LifetimeTimeout(timeout=3, errors=[]), RecordState.UNKNOWN),
        (_error.YXDOMAIN(), RecordState.UNKNOWN),
        (OSError("no network"), RecordState.UNKNOWN),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_name_server_that_does_not_answer_is_not_a_missing_record(error: Exception, expected: RecordState) -> None:
    """The tenant would create it a second time."""
    (found,) = look_up([DKIM], Zone({(DKIM.name + ".", "CNAME"): error}))
    assert (found.record, found.state, found.present) == (DKIM, expected, ())


def test_records_are_asked_for_at_once_each_with_a_limit_and_answered_in_order() -> None:
    """Names are absolute: no search list is tried."""
    zone = Zone({(DKIM.name + ".", "CNAME"): [DKIM.value + "."]})
    found = look_up([DKIM, MX, SPF, DMARC], zone)
    assert [one.record for one in found] == [DKIM, MX, SPF, DMARC]
    assert [one.state for one in found] == [RecordState.FOUND, *[RecordState.MISSING] * 3]
    assert all(name.endswith(".") and 0 < lifetime <= 3 for name, lifetime in zone.asked)


def test_without_records_or_a_resolver_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a resolver knows nothing; the page says so."""

    def missing() -> None:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(dns.resolver, "Resolver", missing)
    assert look_up([]) == []
    assert [one.state for one in look_up([DKIM, MX])] == [RecordState.UNKNOWN] * 2
