"""How much of each quota is used, and when it is full at the present growth."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.aws.dynamodb.broker.broker_table import BrokerTable
from ops.doctor.account import Account
from ops.doctor.findings import Finding, ok, problem, warning

GROWTH = timedelta(days=30)  # over which growth is measured
SOON = 60  # days: a quota request can take weeks
USED = 0.8
SES_QUOTA = 10_000  # configuration sets, and identities, of a region


@dataclass(frozen=True, slots=True)
class Default:
    """A quota in AWS's Service Quotas, and its default."""

    service: str
    code: str
    value: int


TOPICS_QUOTA = Default("sns", "L-61103206", 100_000)  # standard topics of an account and region
ENDPOINTS_QUOTA = Default("vpc", "L-29B6F2EB", 50)  # interface endpoints of a VPC


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How many of a resource there are. `recent` were made in the last 30 days; None if AWS does not say when."""

    resource: str
    used: int
    quota: int
    recent: int | None = None

    @property
    def days_left(self) -> float | None:
        """Days until the quota is reached at the growth of the last 30 days; None without growth."""
        if not self.recent:
            return None
        return max(0, self.quota - self.used) / (self.recent / GROWTH.days)


def usages(account: Account) -> Iterable[Usage]:
    """Every quota that instances and bindings use up."""
    limits = account.client("iam").get_account_summary()["SummaryMap"]
    made = [user["CreateDate"] for user in account.pages("iam", "list_users", "Users", PathPrefix="/cf/")]
    recent = _recent(made, account.now())
    yield Usage(resource="IAM users", used=limits["Users"], quota=limits["UsersQuota"], recent=recent)
    ses, instances = account.client("sesv2"), _recent_instances(account)
    sets, identities = ses.list_configuration_sets, ses.list_email_identities
    yield Usage(
        resource="configuration sets", used=_count(sets, "ConfigurationSets"), quota=SES_QUOTA, recent=instances
    )
    yield Usage(
        resource="SES identities", used=_count(identities, "EmailIdentities"), quota=SES_QUOTA, recent=instances
    )
    topics = sum(1 for _ in account.pages("sns", "list_topics", "Topics"))
    yield Usage(resource="SNS topics", used=topics, quota=_applied(account, TOPICS_QUOTA), recent=instances)
    if vpc := account.setting("PRIVATELINK_VPC_ID", "privatelink_vpc_id"):
        filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "vpc-endpoint-type", "Values": ["Interface"]}]
        endpoints = list(account.pages("ec2", "describe_vpc_endpoints", "VpcEndpoints", Filters=filters))
        made = [endpoint["CreationTimestamp"] for endpoint in endpoints if "CreationTimestamp" in endpoint]
        quota, recent = _applied(account, ENDPOINTS_QUOTA), _recent(made, account.now())
        yield Usage(resource="interface endpoints", used=len(endpoints), quota=quota, recent=recent)


def _recent_instances(account: Account) -> int | None:
    """Instances of the last 30 days, each with a configuration set, an identity and a topic: by their domains' claims.

    SES does not say when it made a configuration set or an identity.
    """
    if account.stack is None:
        return None
    claims = BrokerTable(account.client("dynamodb"), account.stack.tables["broker"]).claims()
    return _recent((claim.claimed_at for claim in claims if claim.instance_id and claim.claimed_at), account.now())


def _applied(account: Account, default: Default) -> int:
    """The quota that AWS applies to this account; the default where it cannot be asked."""
    try:
        found = account.client("service-quotas").get_service_quota(ServiceCode=default.service, QuotaCode=default.code)
    except (ClientError, BotoCoreError):
        return default.value
    return int(found["Quota"]["Value"])


def quotas(account: Account) -> Iterable[Finding]:
    """Each quota, with the days until it is full."""
    for usage in usages(account):
        yield finding(usage)


def finding(usage: Usage) -> Finding:
    """A quota is a problem when it is full, a warning when 80 % are used or it is full within 60 days."""
    left = usage.days_left
    when = f", full in {left:.0f} days at the growth of the last {GROWTH.days}" if left is not None else ""
    text = f"{usage.used} of {usage.quota} {usage.resource}{when}"
    remedy = f"ask AWS for more {usage.resource} (Service Quotas), or begin a second account: docs/scaling.md"
    if usage.used >= usage.quota:
        return problem("quotas", text, remedy)
    if usage.used >= USED * usage.quota or (left is not None and left < SOON):
        return warning("quotas", text, remedy)
    return ok("quotas", text)


def _recent(moments: Iterable[datetime], now: datetime) -> int:
    return sum(1 for moment in moments if now - moment < GROWTH)


def _count(operation: Callable[..., dict[str, Any]], key: str) -> int:
    """The entries of all pages. botocore has no paginator for SES's lists, so their token is followed here."""
    count, token = 0, dict[str, str]()
    while True:
        page = operation(PageSize=1000, **token)
        count += len(page.get(key, []))
        if not page.get("NextToken"):
            return count
        token = {"NextToken": page["NextToken"]}
