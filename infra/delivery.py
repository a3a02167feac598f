"""The delivery functions: one posts to webhooks, one releases deliveries from the backlog."""

from datetime import timedelta

from aws_cdk import Aws, Duration
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.alarms import function_metric
from infra.bundle import CA_BUNDLE
from infra.context import Context
from infra.deliveries import TIMEOUT, Deliveries
from infra.foundation import Foundation
from infra.function import Function, SharedResources
from infra.storage import DUE_INDEX, Storage
from lambdas.delivery.settings import DeliverySettings
from lambdas.domain.tenants import aws_names
from lambdas.domain.webhooks.delivery import KEPT_FOR

_MEMORY = 1769  # MB: one whole core, for TLS to many receivers at once
_EXPIRING = timedelta(days=11)  # of a delivery's age: three days are left to do something
_ALARMING = {  # metrics that the functions count
    "DeliveriesExpired": "Events were not delivered within 14 days, and are gone. "
    "`python -m ops webhooks list --unwell` shows webhooks that fail.",
    "DeliveriesUnreadable": "Parked deliveries cannot be read; they were moved aside and are kept until they expire. "
    "`python -m ops errors release` names them.",
    "DeliveriesNotKept": "Deliveries were made, but could not be kept for replay. "
    "`python -m ops errors delivery` shows why.",
    "ReleaseFaults": "A webhook's parked deliveries could not be released; the next run tries again. "
    "`python -m ops errors release` shows why.",
}


class Delivery(Construct):
    """`function` posts, `release` sends due deliveries back to the queue. They decrypt webhook secrets only."""

    def __init__(self, scope: Construct, id: str, base: Foundation, *, portal_url: str = "") -> None:
        super().__init__(scope, id)
        shared, storage, deliveries = base.shared, base.storage, base.deliveries
        settings = _settings(shared.context, storage, deliveries, portal_url)
        self.function = Function(
            self,
            "Delivery",
            shared=shared,
            folder="delivery",
            entry="handler",
            settings=settings,
            timeout=TIMEOUT,
            memory=_MEMORY,
            description="Signs deliveries and posts them to webhooks.",
        )
        self.release = Function(
            self,
            "Release",
            shared=shared,
            folder="delivery",
            entry="release",
            settings=settings,
            timeout=TIMEOUT,
            description="Sends parked deliveries that are due back to the queue.",
        )
        self._allow(storage, deliveries)
        _watch(shared)
        _allow_decryption(self.function, shared)
        _attach(self.function, shared)
        self._consume(shared.context, deliveries)
        self.release.run_every(max(1, shared.context.release_seconds // 60))

    def _allow(self, storage: Storage, deliveries: Deliveries) -> None:
        for function in (self.function, self.release):
            function.use_table(storage.webhooks, "BatchGetItem", "UpdateItem")
            function.use_table(storage.backlog, "BatchGetItem", "PutItem", "UpdateItem")
            function.send_to(deliveries.queue)
            function.send_to(deliveries.slow_queue)
            _publish(function, aws_names.ALERT_TOPICS)
        self.function.use_table(storage.backlog, "BatchWriteItem")
        self.release.use_table(storage.backlog, "Query", "GetItem", "DeleteItem")
        self.release.query_index(storage.backlog, DUE_INDEX)
        _publish(self.release, aws_names.NOTIFICATION_TOPICS, "sns:GetTopicAttributes")

    def _consume(self, context: Context, deliveries: Deliveries) -> None:
        size, window = context.delivery_batch_size, context.delivery_batch_window_seconds
        self.function.consume(deliveries.queue, size=size, window=window, concurrency=context.delivery_concurrency)
        self.function.consume(
            deliveries.slow_queue,
            id="SlowQueue",
            size=size,
            window=window,
            concurrency=context.slow_delivery_concurrency,
        )


def _settings(context: Context, storage: Storage, deliveries: Deliveries, portal_url: str) -> DeliverySettings:
    return DeliverySettings(
        webhooks_table=storage.webhooks.table_name,
        backlog_table=storage.backlog.table_name,
        deliveries_queue_url=deliveries.queue.queue_url,
        slow_deliveries_queue_url=deliveries.slow_queue.queue_url,
        partition=Aws.PARTITION,
        region=Aws.REGION,
        account=Aws.ACCOUNT_ID,
        allowed_cidrs=",".join(context.allowed_cidrs),
        allow_http=context.allow_http,
        private_ca_file=CA_BUNDLE if context.private_ca_bundle else "",
        attempt_seconds=context.attempt_seconds,
        retry_seconds=",".join(map(str, context.retry_seconds)),
        probe_seconds=",".join(map(str, context.probe_seconds)),
        failing_seconds=context.failing_seconds,
        disabled_seconds=context.disabled_seconds,
        release_seconds=context.release_seconds,
        portal_url=portal_url,
    )


def _watch(shared: SharedResources) -> None:
    """Alarms on deliveries that are or may be lost. Waiting deliveries concern the tenant, not the operator."""
    for metric, because in _ALARMING.items():
        shared.operator.watch_count(metric, metric, service="delivery", because=because, runbook="deliveries-lost")
    left = (KEPT_FOR - _EXPIRING).days
    shared.operator.alarm(
        "BacklogOldest",
        function_metric("BacklogOldestSeconds", service="delivery", statistic="Maximum", period=Duration.minutes(15)),
        above=_EXPIRING.total_seconds(),
        because=f"The oldest delivery waits for {_EXPIRING.days} days and is lost in {left}. "
        "`python -m ops webhooks list --unwell` shows whose it is.",
        runbook="deliveries-lost",
    )


def _allow_decryption(function: Function, shared: SharedResources) -> None:
    """The encryption context binds a ciphertext to its purpose, so bindings' credentials cannot be decrypted."""
    function.allow(
        "kms:Decrypt",
        on=[shared.key.key_arn],
        when={"StringEquals": {"kms:EncryptionContext:purpose": "webhook-secret"}},
    )


def _publish(function: Function, topic: str, *more: str) -> None:
    """Allow publishing to tenants' topics with this name; the stack's own topics have other names."""
    topics = f"arn:{Aws.PARTITION}:sns:{Aws.REGION}:{Aws.ACCOUNT_ID}:{topic}"
    function.allow("sns:Publish", *more, on=[topics], wide="A topic's name holds the instance's or binding's id.")
    function.use_key_through("sns")


def _attach(function: Function, shared: SharedResources) -> None:
    """Attach the function to the operator's subnets, from which webhooks in a private network can be reached."""
    context = shared.context
    if not context.delivery_subnet_ids:
        return
    lambda_function = function.function.node.default_child
    assert isinstance(lambda_function, lambda_.CfnFunction)  # noqa: S101
    lambda_function.vpc_config = lambda_.CfnFunction.VpcConfigProperty(
        subnet_ids=list(context.delivery_subnet_ids), security_group_ids=list(context.delivery_security_group_ids)
    )
    function.allow(
        "ec2:CreateNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:DeleteNetworkInterface",
        "ec2:AssignPrivateIpAddresses",
        "ec2:UnassignPrivateIpAddresses",
        on=["*"],
        wide="Lambda asks for these before the interface exists, so that no ARN could be named.",
    )
