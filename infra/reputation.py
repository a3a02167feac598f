"""The reputation functions: one evaluates when a counter changes, one reconciles."""

from dataclasses import replace
from typing import Any

import jsii
from aws_cdk import Aws, Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.evaluation import evaluation_rules
from infra.foundation import Foundation
from infra.function import Function, SharedResources
from infra.queues import THROTTLED_FOR, dead_letter_queue
from infra.storage import Storage
from lambdas.domain.reputation.sending_status import HANDED_OVER, STATUS_ITEM
from lambdas.domain.tenants import aws_names
from lambdas.reputation.settings import ReputationSettings

_TIMEOUT = Duration.seconds(120)
_SWEEP_TIMEOUT = Duration.minutes(10)  # it asks SES about one instance a second, and must end before the next run
_SWEEP = 15  # minutes within which a claimed transition is enforced if the claimer crashed
_CAP_WINDOW = 20  # s: a cap is enforced within a minute, and a thousand changes are evaluated together
_TRIES = 10  # retries of a change that keeps failing; reconciliation evaluates the instance anyway
_SETS = f"arn:{Aws.PARTITION}:ses:{Aws.REGION}:{Aws.ACCOUNT_ID}:configuration-set/{aws_names.PREFIX}*"
_OF_AN_INSTANCE = "The name of a configuration set or alert topic holds the instance's id."


class Reputation(Construct):
    """`function` and `sweep` read counters, record sending statuses, pause configuration sets and notify.

    `cap` pauses instances that reached the day's cap; None if there is no cap.
    """

    def __init__(self, scope: Construct, id: str, base: Foundation, *, portal_url: str = "") -> None:
        super().__init__(scope, id)
        shared, storage = base.shared, base.storage
        settings = replace(_settings(base), portal_url=portal_url)
        self.function = self._function(
            "Reputation", "handler", shared, settings, "Judges an instance whose counters changed.", _TIMEOUT
        )
        self.sweep = self._function(
            "ReputationSweep", "reconcile", shared, settings, "Finishes and checks verdicts.", _SWEEP_TIMEOUT
        )
        for function in (self.function, self.sweep):
            _allow(function, base)
        _allow_comparing(self.sweep, storage)
        self.failures = dead_letter_queue(
            self,
            "Failures",
            shared=shared,
            name="reputation_dlq",
            because="Changes of counters could not be evaluated.",
        )
        self._follow(self.function, storage, _FEEDBACK_COUNTERS, _HANDED_OVER, size=100, window=1)
        self.cap = self._cap(shared, settings, storage) if settings.daily_cap else None
        self.sweep.run_every(_SWEEP)
        shared.operator.watch_count(
            "OverdueTransitions",
            "OverdueTransitions",
            service="reputation",
            because="A warning, pause or recovery was decided 15 minutes ago and could not be enforced. It is retried. "
            "`python -m ops errors reputation-sweep` shows why, `python -m ops reputation --all` what is undone.",
            runbook="overdue-actions",
        )

    def _function(
        self,
        id: str,
        entry: str,
        shared: SharedResources,
        settings: ReputationSettings,
        description: str,
        timeout: Duration,
    ) -> Function:
        return Function(
            self,
            id,
            shared=shared,
            folder="reputation",
            entry=entry,
            settings=settings,
            timeout=timeout,
            description=description,
        )

    def _cap(self, shared: SharedResources, settings: ReputationSettings, storage: Storage) -> Function:
        """Claims the pause of who reached the day's cap; `function` enforces it, within a minute in all.

        Where the operator set no cap, there is no such function.
        """
        function = self._function(
            "ReputationCap", "cap", shared, settings, "Enforces the cap on a day's mail.", _TIMEOUT
        )
        function.use_table(storage.reputation, "GetItem", "Query", "PutItem", "UpdateItem")
        function.use_table(storage.webhooks, "Query")
        self._follow(function, storage, _DELIVERY_COUNTERS, _FEEDBACK_COUNTERS, size=1_000, window=_CAP_WINDOW)
        self.sweep.run_at_midnight()
        return function

    def _follow(self, function: Function, storage: Storage, *filters: dict[str, Any], size: int, window: int) -> None:
        """Run on changes of the reputation table. Deliveries, most of the writes, invoke only the cap's function."""
        stream = storage.reputation.table_stream_arn
        assert stream is not None  # noqa: S101
        function.allow("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", on=[stream])
        function.allow("dynamodb:ListStreams", on=["*"], wide="DynamoDB knows no resource type for it.")
        function.send_to(self.failures)
        function.function.add_event_source_mapping(
            "Counters",
            event_source_arn=stream,
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            batch_size=size,
            max_batching_window=Duration.seconds(window),
            report_batch_item_failures=True,
            bisect_batch_on_error=True,
            retry_attempts=_TRIES,
            max_record_age=THROTTLED_FOR,  # throttled invocations use up no retry, only time
            on_failure=_FailureQueue(self.failures),
            filters=[lambda_.FilterCriteria.filter(pattern) for pattern in filters],
        )


_HANDED_OVER: dict[str, Any] = {  # claims that the broker or the portal hand over
    "eventName": ["INSERT", "MODIFY"],
    "dynamodb": {"Keys": {"item": {"S": [STATUS_ITEM]}}, "NewImage": {"claimed_by": {"S": [HANDED_OVER]}}},
}
_DELIVERY_COUNTERS: dict[str, Any] = {
    "eventName": ["INSERT", "MODIFY"],
    "dynamodb": {"Keys": {"item": {"S": lambda_.FilterRule.begins_with("deliveries#")}}},
}
_FEEDBACK_COUNTERS: dict[str, Any] = {
    "eventName": ["INSERT", "MODIFY"],
    "dynamodb": {"Keys": {"item": {"S": lambda_.FilterRule.begins_with("feedback#")}}},
}


@jsii.implements(lambda_.IEventSourceDlq)
class _FailureQueue:
    """Not the CDK's own destination, which would let the function use the key for anything."""

    def __init__(self, queue: sqs.IQueue) -> None:
        self._queue = queue

    def bind(self, _target: lambda_.IEventSourceMapping, _handler: lambda_.IFunction) -> lambda_.DlqDestinationConfig:
        return lambda_.DlqDestinationConfig(destination=self._queue.queue_arn)


def _settings(base: Foundation) -> ReputationSettings:
    shared, storage, context = base.shared, base.storage, base.shared.context
    return ReputationSettings(
        reputation_table=storage.reputation.table_name,
        webhooks_table=storage.webhooks.table_name,
        rate_limiter_table=storage.rate_limiter.table_name,
        deliveries_queue_url=base.deliveries.queue.queue_url,
        operator_topic_arn=shared.operator.topic.topic_arn,
        event_topic_arn=base.events.topic.topic_arn,
        partition=Aws.PARTITION,
        region=Aws.REGION,
        account=Aws.ACCOUNT_ID,
        daily_cap=context.mails_per_instance_and_day,
        **evaluation_rules(context),
    )


def _allow(function: Function, base: Foundation) -> None:
    shared, storage = base.shared, base.storage
    of_this_account = f"{Aws.REGION}:{Aws.ACCOUNT_ID}"
    function.use_table(storage.reputation, "GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem")
    function.use_table(storage.webhooks, "Query")
    function.use_table(storage.rate_limiter, "GetItem", "UpdateItem")
    function.send_to(base.deliveries.queue)
    function.allow("ses:PutConfigurationSetSendingOptions", on=[_SETS], wide=_OF_AN_INSTANCE)
    function.allow(
        "sns:Publish",
        on=[shared.operator.topic.topic_arn, f"arn:{Aws.PARTITION}:sns:{of_this_account}:{aws_names.ALERT_TOPICS}"],
        wide=_OF_AN_INSTANCE,
    )
    function.use_key_through("sns")


def _allow_comparing(function: Function, storage: Storage) -> None:
    """List the instances and read their state in SES."""
    function.use_table(storage.webhooks, "Scan")
    function.allow("ses:GetConfigurationSet", on=[_SETS], wide=_OF_AN_INSTANCE)
    function.allow("cloudwatch:GetMetricData", on=["*"], wide="CloudWatch knows no resources for it.")
