"""An SES identity: a sending domain as SES describes it."""

from dataclasses import dataclass

from lambdas.domain.tenants.dns_records import Dkim


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A domain identity in SES. `owner` is the instance id in its tag, None if it has no such tag."""

    owner: str | None
    dkim: Dkim
    verified: bool
    failed: bool
    mail_from: str
    configuration_set: str
