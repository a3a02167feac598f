"""The DNS records of a sending domain."""

import pytest

from lambdas.domain.tenants.dns_records import (
    SPF,
    Dkim,
    Dmarc,
    DnsRecord,
    RecordType,
    as_json,
    as_line,
    required_records,
)

DKIM = Dkim(tokens=("a", "b", "c"), zone="dkim.us-gov-west-1.amazonses.com")


@pytest.mark.parametrize(
    ("dmarc", "text"),
    [
        (Dmarc(policy="none"), "v=DMARC1; p=none"),
        (Dmarc(policy="reject", aggregate=["a@b.cc", "a@b.cc"]), "v=DMARC1; p=reject; rua=mailto:a@b.cc"),
        (
            Dmarc(policy="reject", aggregate=["a@b.cc", "d@e.ff"], failure=["g@h.ii"]),
            "v=DMARC1; p=reject; rua=mailto:a@b.cc,mailto:d@e.ff; ruf=mailto:g@h.ii",
        ),
    ],
)
def test_a_dmarc_record_names_each_recipient_once(dmarc: Dmarc, text: str) -> None:
    """And the policy first: RFC 7489 wants it so."""
    assert dmarc.text() == text


def test_dkim_names_the_zone_that_ses_told() -> None:
    """It differs between partitions."""
    records = required_records("a.gov", dkim=DKIM, dmarc=Dmarc(policy="none"), mail_from="", region="us-gov-west-1")
    cnames = [record for record in records if record.type is RecordType.CNAME]
    assert [record.value for record in cnames] == [f"{t}.dkim.us-gov-west-1.amazonses.com" for t in "abc"]


def test_a_line_can_be_pasted_into_a_zone_file() -> None:
    """Names end with a dot, texts are quoted."""
    dmarc = Dmarc(policy="none")
    records = required_records("a.gov", dkim=DKIM, dmarc=dmarc, mail_from="m.a.gov", region="us-east-1")
    assert [as_line(record) for record in records[2:]] == [
        "c._domainkey.a.gov. 600 IN CNAME c.dkim.us-gov-west-1.amazonses.com.",
        '_dmarc.a.gov. 600 IN TXT "v=DMARC1; p=none"',
        "m.a.gov. 600 IN MX 10 feedback-smtp.us-east-1.amazonses.com.",
        'm.a.gov. 600 IN TXT "v=spf1 include:amazonses.com ~all"',
    ]
    assert as_json(records[4])["value"] == "10 feedback-smtp.us-east-1.amazonses.com"


def test_the_records_of_a_domain_to_the_letter() -> None:
    """With a MAIL FROM domain it needs no SPF record of its own; without, SPF is on the domain."""
    dmarc = Dmarc(policy="none")
    dkim = Dkim(tokens=("a",), zone="dkim.amazonses.com")
    common = (
        DnsRecord(
            type=RecordType.CNAME,
            name="a._domainkey.a.gov",
            value="a.dkim.amazonses.com",
            purpose="DKIM: proves to SES that the domain is yours, and signs your mail",
        ),
        DnsRecord(type=RecordType.TXT, name="_dmarc.a.gov", value="v=DMARC1; p=none", purpose="DMARC policy"),
    )
    assert required_records("a.gov", dkim=dkim, dmarc=dmarc, mail_from="m.a.gov", region="us-east-1") == (
        *common,
        DnsRecord(
            type=RecordType.MX,
            name="m.a.gov",
            value="10 feedback-smtp.us-east-1.amazonses.com",
            purpose="MAIL FROM: the only MX of this name",
        ),
        DnsRecord(type=RecordType.TXT, name="m.a.gov", value=SPF, purpose="SPF of the MAIL FROM domain"),
    )
    assert required_records("a.gov", dkim=dkim, dmarc=dmarc, mail_from="", region="us-east-1") == (
        *common,
        DnsRecord(
            type=RecordType.TXT,
            name="a.gov",
            value="v=spf1 include:amazonses.com ~all",
            purpose="SPF; merge it with the domain's SPF record if there is one, two are invalid",
        ),
    )


def test_a_record_as_a_binding_holds_it() -> None:
    """Each part by its name, with a time to live of ten minutes."""
    record = DnsRecord(type=RecordType.TXT, name="a.gov", value="v", purpose="why")
    assert as_json(record) == {"type": "TXT", "name": "a.gov", "value": "v", "ttl": 600, "purpose": "why"}
