"""Checks of SES as the whole account sees it: sandbox, enforcement, quota and rates."""

from collections.abc import Iterable
from datetime import timedelta

from ops.doctor.account import Account
from ops.doctor.findings import Finding, ok, problem, warning

USED = 0.8  # of the daily quota: time to ask for more
RATES = {  # metric of AWS/SES: where AWS reviews an account, where it pauses it
    "Reputation.BounceRate": (0.05, 0.10),
    "Reputation.ComplaintRate": (0.001, 0.005),
}
_REQUEST = "ask AWS for production access (SES console, Account dashboard)"


def sending(account: Account) -> Iterable[Finding]:
    """Whether the account may send, and how much of its quota is used."""
    found = account.client("sesv2").get_account()
    if not found.get("ProductionAccessEnabled", False):
        yield problem("sandbox", "SES sends only to verified addresses: the account is in its sandbox", _REQUEST)
    else:
        yield ok("sandbox", "the account is out of SES's sandbox")
    status = found.get("EnforcementStatus", "HEALTHY")
    if status == "SHUTDOWN" or not found.get("SendingEnabled", True):
        yield problem("enforcement", f"SES sends nothing: {status}", "docs/runbooks/account-paused.md")
    elif status != "HEALTHY":
        yield warning("enforcement", f"AWS reviews the account: {status}", "docs/runbooks/account-paused.md")
    else:
        yield ok("enforcement", "SES says HEALTHY")
    yield from _quota(found.get("SendQuota", {}))


def _quota(quota: dict[str, float]) -> Iterable[Finding]:
    most, used, rate = quota.get("Max24HourSend", 0), quota.get("SentLast24Hours", 0), quota.get("MaxSendRate", 0)
    if most < 0:  # SES's way to say unlimited
        yield ok("quota", f"{used:.0f} mails in 24 hours, no daily limit, {rate:.0f} a second")
        return
    share = used / most if most else 1.0
    text = f"{used:.0f} of {most:.0f} mails in 24 hours ({share:.0%}), {rate:.0f} a second"
    if share >= USED:
        yield warning("quota", text, "ask AWS for more (Service Quotas, SES), or cap tenants by context")
    else:
        yield ok("quota", text)


def account_rates(account: Account) -> Iterable[Finding]:
    """The account's bounce and complaint rates, as AWS judges them."""
    now = account.now()
    for metric, (review, pause) in RATES.items():
        name = "bounce rate" if "Bounce" in metric else "complaint rate"
        points = account.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/SES",
            MetricName=metric,
            StartTime=now - timedelta(days=1),
            EndTime=now,
            Period=3600,
            Statistics=["Maximum"],
        )["Datapoints"]
        if not points:
            yield ok(name, "SES publishes no rate: too little mail in the last day")
            continue
        rate = max(points, key=lambda point: point["Timestamp"])["Maximum"]
        text = f"{rate:.3%} for the whole account; AWS reviews at {review:.1%} and pauses at {pause:.1%}"
        remedy = "python -m ops reputation --all shows who causes it"
        if rate >= review:
            yield problem(name, text, remedy)
        elif rate >= review / 2:
            yield warning(name, text, remedy)
        else:
            yield ok(name, text)
