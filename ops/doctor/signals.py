"""Checks of what calls for an operator: subscriptions, dead letters, alarms."""

from collections.abc import Iterable
from itertools import islice

from ops.doctor.account import Account
from ops.doctor.findings import Finding, ok, problem, warning

PENDING = "PendingConfirmation"
SHOWN = 10  # names that one line lists


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
    """Which alert topics of instances nobody has confirmed."""
    topics = (
        topic["TopicArn"] for topic in account.pages("sns", "list_topics", "Topics") if _is_alert(topic["TopicArn"])
    )
    pending = [topic for topic in topics if _is_pending(account, topic)]
    if pending:
        names = ", ".join(islice((_instance(topic) for topic in pending), SHOWN))
        yield warning(
            "admin_email",
            f"{len(pending)} instance(s) whose admin_email has not confirmed: {names}",
            "python -m ops resubscribe INSTANCE sends the confirmation again",
        )
    else:
        yield ok("admin_email", "every admin_email has confirmed")


def _is_alert(arn: str) -> bool:
    name = arn.rpartition(":")[2]
    return name.startswith("ses-feedback-") and name.endswith("-alerts")


def _is_pending(account: Account, topic: str) -> bool:
    found = account.pages("sns", "list_subscriptions_by_topic", "Subscriptions", TopicArn=topic)
    return all(one["SubscriptionArn"] in (PENDING, "Deleted") for one in found)


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
