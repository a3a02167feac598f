"""An instance's DNS records under the operator's rules."""

from datetime import UTC, datetime

from lambdas.domain.tenants.dns_records import as_line
from lambdas.domain.tenants.instance import Instance, InstanceState, Made, Operation, OperationKind, SesParameters
from lambdas.domain.tenants.instance_dns import InstanceDns

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def instance(ses: SesParameters | None) -> Instance:
    """An instance with a DKIM token."""
    return Instance(
        id="i1",
        service_id="s",
        plan_id="p",
        organization_guid="o",
        space_guid="sp",
        state=InstanceState.READY,
        operation=Operation(id="op", kind=OperationKind.PROVISION, started_at=NOW, touched_at=NOW),
        ses=ses,
        domain="a.gov",
        made=Made(dkim_tokens=("t",), dkim_zone="dkim.amazonses.com"),
    )


def test_settings_are_read_from_text() -> None:
    """Without a policy it is `none`; blanks and empty entries do not count."""
    assert InstanceDns.parse(
        region="us-east-1", dmarc_policy="", dmarc_aggregate_recipients=" a@b.cc ,, d@e.ff"
    ) == InstanceDns(region="us-east-1", dmarc_policy="none", dmarc_aggregate=("a@b.cc", "d@e.ff"))
    assert InstanceDns.parse(region="r", dmarc_policy="reject", dmarc_aggregate_recipients="").dmarc_policy == "reject"


def test_the_operators_recipients_of_reports_come_before_the_tenants() -> None:
    """Both get the aggregate reports; failure reports go to the tenant alone."""
    dns = InstanceDns(region="us-east-1", dmarc_policy="reject", dmarc_aggregate=("ops@x.gov",))
    asked = SesParameters(
        admin_email="ann@a.gov",
        mail_from_subdomain="bounce",
        dmarc_report_aggregate_recipients=("ann@a.gov",),
        dmarc_report_failure_recipients=("joe@a.gov",),
    )
    assert [as_line(record) for record in dns.records(instance(asked))] == [
        "t._domainkey.a.gov. 600 IN CNAME t.dkim.amazonses.com.",
        '_dmarc.a.gov. 600 IN TXT "v=DMARC1; p=reject; rua=mailto:ops@x.gov,mailto:ann@a.gov; ruf=mailto:joe@a.gov"',
        "bounce.a.gov. 600 IN MX 10 feedback-smtp.us-east-1.amazonses.com.",
        'bounce.a.gov. 600 IN TXT "v=spf1 include:amazonses.com ~all"',
    ]


def test_without_a_mail_from_subdomain_spf_is_on_the_domain() -> None:
    """And an instance without SES parameters needs no record."""
    dns = InstanceDns(region="us-east-1", dmarc_policy="none", dmarc_aggregate=())
    lines = [as_line(record) for record in dns.records(instance(SesParameters(admin_email="ann@a.gov")))]
    assert lines[-1] == 'a.gov. 600 IN TXT "v=spf1 include:amazonses.com ~all"'
    assert dns.records(instance(None)) == ()
