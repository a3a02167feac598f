"""Checks of what calls for an operator: subscriptions, dead letters, alarms."""

from collections.abc import Iterable
from datetime import timedelta
from itertools import islice

from ops.doctor.account import Account
from ops.doctor.findings import Finding, ok, problem, warning

PENDING = "PendingConfirmation"
SHOWN = 10  # names that one line lists
KEPT = timedelta(days=14)  # every queue keeps a message that long
LOSING = timedelta(days=4)  # before a dead letter is lost: time for somebody on leave to come back
LATE = timedelta(minutes=15)  # the tightest of the alarms on working queues
RECENTLY = timedelta(minutes=15)  # SQS publishes its metrics each minute, a few minutes late


def operator_subscription(account: Account) -> Iterable[Finding]:
    """Whether anybody gets the alarms."""
    topic = account.deployed.outputs["OperatorTopicArn"]
    found = list(account.pages("sns", "list_subscriptions_by_topic", "Subscriptions", TopicArn=topic))
    confirmed = [one for one in found if one["SubscriptionArn"] not in (PENDING, "Deleted")]
    if confirmed:
        yield ok("operator topic", f"{len(confirmed)} confirmed subscription(s)")
    elif any(one["SubscriptionArn"] == PENDING for one in found):
        yield problem("operator topic", "nobody confirmed it: alarms reach no one", "open the link in AWS's mail")
    else:
        yield problem("operator topic", "nobody is subscribed: alarms reach no one", "set operator_email and deploy")


def admin_subscriptions(account: Account) -> Iterable[Finding]:
    """Which alert topics of instances nobody has confirmed.

    Two lists of the account, a hundred entries a call, so that ten thousand instances take two hundred calls.
    """
    topics = {one["TopicArn"] for one in account.pages("sns", "list_topics", "Topics") if _is_alert(one["TopicArn"])}
    subscriptions = account.pages("sns", "list_subscriptions", "Subscriptions") if topics else iter(())
    heard = {one["TopicArn"] for one in subscriptions if one["SubscriptionArn"] not in (PENDING, "Deleted")}
    pending = sorted(topics - heard)
    if pending:
        names = ", ".join(islice((_instance(topic) for topic in pending), SHOWN))
        more = f" and {len(pending) - SHOWN} more" if len(pending) > SHOWN else ""
        yield warning(
            "admin_email",
            f"{len(pending)} instance(s) whose admin_email has not confirmed: {names}{more}",
            "python -m ops resubscribe INSTANCE sends the confirmation again",
        )
    else:
        yield ok("admin_email", "every admin_email has confirmed")


def _is_alert(arn: str) -> bool:
    name = arn.rpartition(":")[2]
    return name.startswith("ses-feedback-") and name.endswith("-alerts")


def _instance(arn: str) -> str:
    return arn.rpartition(":")[2].removeprefix("ses-feedback-").removesuffix("-alerts")


def queues(account: Account) -> Iterable[Finding]:
    """Messages in dead-letter queues, and how much waits in the working queues."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    for name, url in sorted(account.deployed.queues.items()):
        found = account.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        waiting, in_flight = (int(found[attribute]) for attribute in names)
        if name.endswith("_dlq") and waiting:
            yield problem("queues", f"{waiting} message(s) in {name}", f"python -m ops dlq list {name}")
        else:
            yield ok("queues", f"{name}: {waiting} waiting, {in_flight} in flight")


def queue_ages(account: Account) -> Iterable[Finding]:
    """How old the oldest message of each queue is: the latest value of the last quarter of an hour.

    SQS publishes no age for a queue that was empty for six hours, and its messages are lost after 14 days.
    """
    queues = sorted(account.deployed.queues.items())
    queries = [
        {
            "Id": f"q{at}",
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/SQS",
                    "MetricName": "ApproximateAgeOfOldestMessage",
                    "Dimensions": [{"Name": "QueueName", "Value": url.rpartition("/")[2]}],
                },
                "Period": 60,
                "Stat": "Maximum",
            },
        }
        for at, (_, url) in enumerate(queues)
    ]
    found = account.client("cloudwatch").get_metric_data(
        MetricDataQueries=queries,
        StartTime=account.now() - RECENTLY,
        EndTime=account.now(),
        ScanBy="TimestampDescending",
    )
    seconds = {one["Id"]: one["Values"][0] for one in found["MetricDataResults"] if one["Values"]}
    ages = {name: timedelta(seconds=seconds[f"q{at}"]) for at, (name, _) in enumerate(queues) if f"q{at}" in seconds}
    yield from filter(None, (_aged(name, age) for name, age in ages.items()))
    if not ages:
        yield ok("queue ages", "SQS publishes none: all queues were empty for hours")
        return
    oldest = max(ages, key=lambda name: ages[name])
    yield ok("queue ages", f"the oldest message of all queues is {_spoken(ages[oldest])} old, in {oldest}")


def _aged(name: str, age: timedelta) -> Finding | None:
    """What is to be said of a queue's age: a dead letter counts its days, a working queue must keep up."""
    left = KEPT - age
    if name.endswith("_dlq") and age > timedelta(0):
        text = f"{name}: the oldest message is {_spoken(age)} old and is lost in {_spoken(left)}"
        return (problem if left < LOSING else warning)("queue ages", text, f"python -m ops dlq list {name}")
    if not name.endswith("_dlq") and age > LATE:
        text = f"{name}: the oldest message waits for {_spoken(age)}"
        return warning("queue ages", text, "python -m ops errors shows why it waits: docs/runbooks/queue-age.md")
    return None


def _spoken(age: timedelta) -> str:
    hours = age.total_seconds() / 3600
    if hours >= 48:
        return f"{hours / 24:.0f} days"
    return f"{hours:.0f} h" if hours >= 2 else f"{hours * 60:.0f} min"


def alarms(account: Account) -> Iterable[Finding]:
    """Alarms of the stack that are in ALARM."""
    found = list(
        account.pages("cloudwatch", "describe_alarms", "MetricAlarms", AlarmNamePrefix=f"{account.deployed.name}-")
    )
    firing = [alarm for alarm in found if alarm["StateValue"] == "ALARM"]
    for alarm in firing:
        yield problem("alarms", f"{alarm['AlarmName']} is in ALARM", alarm.get("AlarmDescription", ""))
    if not firing:
        yield ok("alarms", f"none of {len(found)} alarms is in ALARM")
