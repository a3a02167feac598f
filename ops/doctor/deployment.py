"""Checks of the account and its preparation: credentials, clock, bootstrap, Lambda's concurrency, the stack itself."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import ClientError, NoCredentialsError

from ops.doctor.account import Account
from ops.doctor.findings import Finding, ok, problem, warning

MAX_SKEW = timedelta(minutes=4)  # AWS refuses requests, and receivers refuse webhooks, that are five minutes off
BOOTSTRAP_PARAMETER = "/cdk-bootstrap/hnb659fds/version"  # hnb659fds: the CDK's default qualifier
MIN_BOOTSTRAP = 6  # what the CDK's modern template asks for
HEADROOM = 10  # concurrent executions beside the mappings: the broker's API, schedules, other functions
MAX_SECRET_AGE = timedelta(days=365)
MAX_DRIFT_AGE = timedelta(days=90)


def credentials(account: Account) -> Iterable[Finding]:
    """Who the credentials belong to, where they lead, and whether the clocks agree."""
    if not account.region:
        yield problem("region", "no region is set", "set AWS_REGION, AWS_DEFAULT_REGION or a profile with a region")
        return
    try:
        answer = account.client("sts").get_caller_identity()
    except (ClientError, NoCredentialsError) as error:
        yield problem("credentials", f"AWS does not accept them: {error}", "set AWS_PROFILE or sign in again")
        return
    partition = answer["Arn"].split(":")[1]
    yield ok("credentials", f"account {answer['Account']}, partition {partition}, region {account.region}")
    sent = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    if sent:
        yield _clock(account.now() - parsedate_to_datetime(sent))


def _clock(skew: timedelta) -> Finding:
    seconds = abs(skew.total_seconds())
    if seconds > MAX_SKEW.total_seconds():
        return problem("clock", f"this machine is {seconds:.0f} s off AWS's clock", "synchronize this machine's clock")
    return ok("clock", f"within {seconds:.0f} s of AWS's clock")


def bootstrap(account: Account) -> Iterable[Finding]:
    """Whether `cdk bootstrap` prepared the account and region, with a version that is new enough."""
    try:
        value = account.client("ssm").get_parameter(Name=BOOTSTRAP_PARAMETER)["Parameter"]["Value"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterNotFound":
            raise
        yield problem("bootstrap", "the CDK has not prepared this account and region", "run `cdk bootstrap`")
        return
    if int(value) < MIN_BOOTSTRAP:
        yield problem("bootstrap", f"version {value}; {MIN_BOOTSTRAP} is needed", "run `cdk bootstrap` again")
        return
    yield ok("bootstrap", f"version {value}")


def concurrency(account: Account) -> Iterable[Finding]:
    """Whether Lambda's concurrency quota covers what the event source mappings may use."""
    limits = account.client("lambda").get_account_settings()["AccountLimit"]
    quota = limits["ConcurrentExecutions"]
    asked = sum(_maximum(mapping) for mapping in mappings(account)) if account.stack else _asked(account)
    if quota < asked + HEADROOM:
        yield warning(
            "concurrency",
            f"the account allows {quota} concurrent executions, the event sources may use {asked}",
            f"ask AWS for at least {asked + HEADROOM} (Service Quotas, Lambda), or lower feedback_concurrency, "
            "delivery_concurrency, slow_delivery_concurrency and worker_concurrency",
        )
        return
    yield ok("concurrency", f"{quota} concurrent executions, the event sources may use {asked}")


def _asked(account: Account) -> int:
    keys = {
        "feedback_concurrency": 10,
        "delivery_concurrency": 20,
        "slow_delivery_concurrency": 10,
        "worker_concurrency": 2,
    }
    return sum(int(account.context.get(key, default)) for key, default in keys.items())


def mappings(account: Account) -> list[dict[str, Any]]:
    """The event source mappings of the stack's functions."""
    functions = account.stack.functions.values() if account.stack else ()
    return [
        mapping
        for function in functions
        for mapping in account.pages(
            "lambda", "list_event_source_mappings", "EventSourceMappings", FunctionName=function
        )
    ]


def _maximum(mapping: dict[str, Any]) -> int:
    return int(mapping.get("ScalingConfig", {}).get("MaximumConcurrency", 0))


def event_sources(account: Account) -> Iterable[Finding]:
    """Whether every event source mapping is enabled. A disabled one stops the pipeline; queues keep 14 days."""
    found = mappings(account)
    disabled = [mapping for mapping in found if mapping.get("State") not in ("Enabled", "Enabling", "Creating")]
    for mapping in disabled:
        function = mapping["FunctionArn"].rpartition(":")[2]
        yield problem(
            "event sources",
            f"{function} does not read {mapping['EventSourceArn'].rpartition(':')[2]}: it is {mapping.get('State')}",
            f"aws lambda update-event-source-mapping --enabled --uuid {mapping['UUID']}",
        )
    if not disabled:
        yield ok("event sources", f"{len(found)} event source mappings are enabled")


def schedules(account: Account) -> Iterable[Finding]:
    """Whether the stack's EventBridge rules are enabled: parked deliveries and stalled operations wait for them."""
    rules = list(account.pages("events", "list_rules", "Rules", NamePrefix=f"{account.deployed.name}-"))
    disabled = [rule["Name"] for rule in rules if rule["State"] == "DISABLED"]
    for name in disabled:
        yield problem("schedules", f"the rule {name} is disabled", f"aws events enable-rule --name {name}")
    if not disabled:
        yield ok("schedules", f"{len(rules)} schedules and rules are enabled")


def stack(account: Account) -> Iterable[Finding]:
    """The stack's state, its last known drift, and whether it is protected against deletion."""
    (found,) = account.client("cloudformation").describe_stacks(StackName=account.deployed.name)["Stacks"]
    status = found["StackStatus"]
    if status.endswith(("_FAILED", "ROLLBACK_COMPLETE")) and status != "UPDATE_ROLLBACK_COMPLETE":
        yield problem("stack", f"{account.deployed.name} is {status}", "read its events, then deploy again")
    else:
        yield ok("stack", f"{account.deployed.name} is {status}: {found.get('Description', '')}")
    yield from _drift(found.get("DriftInformation", {}), account.now(), account.deployed.name)


def _drift(drift: dict[str, Any], now: datetime, name: str) -> Iterable[Finding]:
    remedy = f"aws cloudformation detect-stack-drift --stack-name {name}"
    if drift.get("StackDriftStatus") == "DRIFTED":
        yield warning("drift", "resources were changed by hand since the last deployment", "deploy again, or see what")
    elif drift.get("StackDriftStatus") == "IN_SYNC" and now - drift["LastCheckTimestamp"] < MAX_DRIFT_AGE:
        yield ok("drift", f"in sync on {drift['LastCheckTimestamp']:%Y-%m-%d}")
    else:
        yield warning("drift", f"not looked for in the last {MAX_DRIFT_AGE.days} days", remedy)


def key(account: Account) -> Iterable[Finding]:
    """Whether the stack's KMS key can be used: without it nothing is read, decrypted or sent."""
    found = account.client("kms").describe_key(KeyId=account.deployed.outputs["KeyArn"])["KeyMetadata"]
    if found["KeyState"] != "Enabled":
        yield problem("key", f"the stack's KMS key is {found['KeyState']}", "enable it: docs/runbooks/key-disabled.md")
        return
    yield ok("key", "the stack's KMS key is enabled")


def secrets(account: Account) -> Iterable[Finding]:
    """How old the broker's password is, and that of the zone's credentials."""
    arns = {"broker's password": account.deployed.outputs["BrokerCredentialsSecretArn"]}
    if zone := account.setting("ZONE_CREDENTIALS_SECRET_ARN", "zone_credentials_secret_arn"):
        arns["zone's credentials"] = zone
    for name, arn in arns.items():
        found = account.client("secretsmanager").describe_secret(SecretId=arn)
        changed = found.get("LastChangedDate") or found["CreatedDate"]
        age = account.now() - changed
        if age > MAX_SECRET_AGE:
            remedy = "python -m ops broker rotate" if "broker" in name else "make a new key for the zone's user"
            yield warning("secrets", f"the {name} is {age.days} days old", remedy)
        else:
            yield ok("secrets", f"the {name} is {age.days} days old")


def logs(account: Account) -> Iterable[Finding]:
    """Whether every function's log group ends its entries: log lines hold no addresses, but cost money."""
    endless = [
        group["logGroupName"]
        for group in account.pages("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=account.deployed.name)
        if "retentionInDays" not in group
    ]
    if endless:
        yield warning("logs", f"kept for ever: {', '.join(endless)}", "set log_retention_days and deploy again")
    else:
        yield ok("logs", "every log group of the stack ends its entries")
