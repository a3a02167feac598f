"""How things stand on the embedded AWS, and mail's history in a moment."""

from datetime import UTC, datetime

from aws_lambda_powertools import Logger, Metrics

from lambdas.reputation.composition import Composition
from lambdas.reputation.observability import Observability
from local.tenant.tenant import Tenant
from tests.events import bounce, delivery, text
from tests.journey.conftest import Stack


def topics(stack: Stack) -> set[str]:
    """The names of all SNS topics."""
    pages = stack.client("sns").get_paginator("list_topics").paginate()
    return {topic["TopicArn"].rpartition(":")[2] for page in pages for topic in page["Topics"]}


def subscribers(stack: Stack, topic: str) -> list[str]:
    """The addresses subscribed to a topic."""
    sns = stack.client("sns")
    arn = stack.facts["event_topic_arn"].rpartition(":")[0] + f":{topic}"
    return [found["Endpoint"] for found in sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]]


def users(stack: Stack) -> set[str]:
    """The names of the IAM users of bindings."""
    return {user["UserName"] for user in stack.client("iam").list_users(PathPrefix="/cf/")["Users"]}


def messages(stack: Stack, function: str) -> set[str]:
    """What a function logged."""
    return {str(line.get("message")) for line in stack.log(function)}


def publish_history(stack: Stack, tenant: Tenant, *, deliveries: int, bounces: int) -> None:
    """Publish what SES says of a tenant's mail: *deliveries* of mails to fifty, and one mail's *bounces*."""
    before = stack.counters(tenant.instance_id)["deliveries"]
    name, now = f"{tenant.instance_id[:8]}-{before}", datetime.now(UTC).isoformat()
    for number in range(deliveries // 50):
        event = delivery(
            recipients=_addresses(50, f"d{number}."), message_id=f"{name}-{number}", sent_at=now, timestamp=now
        )
        stack.publish(text(event), instance_id=tenant.instance_id)
    counted = stack.eventually(
        lambda: stack.counters(tenant.instance_id)["deliveries"], lambda n: n >= before + deliveries
    )
    assert counted == before + deliveries
    event = bounce(recipients=_addresses(bounces, "b"), feedback_id=f"{name}-f", sent_at=now, timestamp=now)
    stack.publish(text(event), instance_id=tenant.instance_id)


def _addresses(count: int, prefix: str) -> tuple[str, ...]:
    return tuple(f"{prefix}{number}@shop.example" for number in range(count))


def observer_of(composition: Composition) -> Observability:
    """What logs and notifies for a reconciler that a test runs itself."""
    metrics = Metrics(namespace="Journey", service="journey")
    return Observability(Logger(service="journey"), metrics, composition.notifier, composition.operator_topic_arn)
