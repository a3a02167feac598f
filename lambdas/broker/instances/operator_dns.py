"""An instance's DNS records under the operator's DMARC rules."""

from lambdas.broker.settings import BrokerSettings
from lambdas.domain.tenants.instance_dns import InstanceDns


class OperatorDns(InstanceDns):
    """The operator's settings for DNS."""

    @classmethod
    def of(cls, settings: BrokerSettings) -> "OperatorDns":
        """From the settings."""
        return cls.parse(
            region=settings.region,
            dmarc_policy=settings.dmarc_policy,
            dmarc_aggregate_recipients=settings.dmarc_aggregate_recipients,
        )
