"""The DNS records of an instance, under the operator's DMARC rules."""

from dataclasses import dataclass
from typing import Self

from lambdas.domain.tenants.dns_records import Dkim, Dmarc, DnsRecord, required_records
from lambdas.domain.tenants.instance import Instance


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceDns:
    """The operator's DNS settings."""

    region: str
    dmarc_policy: str
    dmarc_aggregate: tuple[str, ...]

    @classmethod
    def parse(cls, *, region: str, dmarc_policy: str, dmarc_aggregate_recipients: str) -> Self:
        """Parse the settings: recipients are comma-separated, an empty policy is `none`."""
        recipients = (entry.strip() for entry in dmarc_aggregate_recipients.split(","))
        return cls(
            region=region,
            dmarc_policy=dmarc_policy or "none",
            dmarc_aggregate=tuple(entry for entry in recipients if entry),
        )

    def records(self, instance: Instance) -> tuple[DnsRecord, ...]:
        """Every record the instance's domain needs, once its DKIM tokens are known."""
        if instance.ses is None:
            return ()
        subdomain = instance.ses.mail_from_subdomain
        return required_records(
            instance.domain,
            dkim=Dkim(tokens=instance.made.dkim_tokens, zone=instance.made.dkim_zone),
            dmarc=Dmarc(
                policy=self.dmarc_policy,
                aggregate=(*self.dmarc_aggregate, *instance.ses.dmarc_report_aggregate_recipients),
                failure=instance.ses.dmarc_report_failure_recipients,
            ),
            mail_from=f"{subdomain}.{instance.domain}" if subdomain else "",
            region=self.region,
        )
