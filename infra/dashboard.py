"""The operator's CloudWatch dashboard: events in, deliveries out, waiting, failures, cost."""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.alarms import function_metric, late_share

_FIVE = Duration.minutes(5)
_QUARTER = Duration.minutes(15)  # how often the reconciliation runs
_HOUR = Duration.hours(1)
_WIDTH = 12  # of CloudWatch's 24 columns
_DOLLARS_PER_MILLION = 1.5  # events; docs/cost.md: at 100 tenants; deliveries, storage and requests included


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The stack's queues and functions by their names in the outputs."""

    queues: Mapping[str, sqs.IQueue]
    functions: Mapping[str, lambda_.IFunction]


class Dashboard(Construct):
    """One dashboard a stack, under the stack's name."""

    def __init__(self, scope: Construct, id: str, *, parts: Parts, name: str) -> None:
        super().__init__(scope, id)
        dashboard = cloudwatch.Dashboard(self, "Dashboard", dashboard_name=name, default_interval=Duration.days(1))
        rows = (
            _pipeline(),
            _latency(),
            _queues(parts),
            _receivers(),
            _backlog(),
            _reputation(),
            _broker(),
            _functions(parts),
        )
        for row in rows:
            dashboard.add_widgets(*row)


def _graph(title: str, *metrics: cloudwatch.IMetric, label: str = "") -> cloudwatch.GraphWidget:
    axis = cloudwatch.YAxisProps(min=0, label=label, show_units=not label)
    return cloudwatch.GraphWidget(title=title, left=list(metrics), width=_WIDTH, left_y_axis=axis)


def _sums(service: str, *names: str) -> list[cloudwatch.IMetric]:
    return [function_metric(name, service=service) for name in names]


def _gauges(service: str, *names: str, period: Duration = _FIVE) -> list[cloudwatch.IMetric]:
    """Metrics that say how many there are now."""
    return [function_metric(name, service=service, statistic="Maximum", period=period) for name in names]


def _pipeline() -> tuple[cloudwatch.IWidget, ...]:
    events = _sums("feedback", "EventsRecorded", "EventsFailed", "EventsUnattributed")
    deliveries = _sums("delivery", "DeliveriesMade", "DeliveriesFailed", "DeliveriesExhausted", "DeliveriesExpired")
    return _graph("Events in", *events), _graph("Deliveries out", *deliveries)


def _latency() -> tuple[cloudwatch.IWidget, ...]:
    seconds = [
        function_metric("EventToWebhookSeconds", service="delivery", statistic=statistic)
        for statistic in ("p50", "p99")
    ]
    return _graph("Event to webhook, seconds", *seconds), _graph(
        "Late first attempts", late_share(_HOUR), label="share"
    )


def _queues(parts: Parts) -> tuple[cloudwatch.IWidget, ...]:
    working = {name: queue for name, queue in parts.queues.items() if not name.endswith("_dlq")}
    dead = {name: queue for name, queue in parts.queues.items() if name.endswith("_dlq")}
    ages = [
        queue.metric_approximate_age_of_oldest_message(period=_FIVE, statistic="Maximum", label=name)
        for name, queue in working.items()
    ]
    letters = [
        queue.metric_approximate_number_of_messages_visible(period=_FIVE, statistic="Maximum", label=name)
        for name, queue in dead.items()
    ]
    return _graph("Oldest message of each queue, seconds", *ages), _graph("Dead letters", *letters)


def _receivers() -> tuple[cloudwatch.IWidget, ...]:
    changes = _sums("delivery", "WebhooksFailing", "WebhooksDisabled", "WebhooksHealthy")
    unwell = _gauges("delivery", "BacklogWebhooksFailing", "BacklogWebhooksDisabled")
    return _graph("Webhooks that changed health", *changes), _graph("Webhooks that hold a backlog", *unwell)


def _backlog() -> tuple[cloudwatch.IWidget, ...]:
    flow = _sums("delivery", "DeliveriesParked", "DeliveriesReleased")
    waiting, oldest = _gauges("delivery", "BacklogWaiting", "BacklogOldestSeconds")
    return (
        _graph("Backlog: parked and released", *flow),
        _graph("Backlog: deliveries that wait", waiting),
        _graph("Backlog: oldest delivery, seconds", oldest),
    )


def _reputation() -> tuple[cloudwatch.IWidget, ...]:
    account = [
        cloudwatch.Metric(namespace="AWS/SES", metric_name=name, period=_HOUR, statistic="Average", label=label)
        for name, label in (
            ("Reputation.BounceRate", "bounce rate"),
            ("Reputation.ComplaintRate", "complaint rate"),
        )
    ]
    decisions = _sums("reputation", "TransitionsEnforced", "EnforcementFailures", "OverdueTransitions", "RatesDiffered")
    states = _gauges("reputation", "InstancesWarned", "InstancesPaused", period=_QUARTER)
    return (
        _graph("The account's rates, by SES", *account, label="share"),
        _graph("Decisions on tenants", *decisions),
        _graph("Instances warned and paused", *states),
    )


def _broker() -> tuple[cloudwatch.IWidget, ...]:
    answers = _sums("broker", "BrokerAnswers", "BrokerRefusals", "BrokerFaults")
    operations = _sums("broker", "OperationsSucceeded", "OperationsFailed", "OperationStepFailures")
    waiting, oldest = _gauges("broker", "OperationsWaiting", "OperationsOldestSeconds")
    times = [
        function_metric("OperationSeconds", service="broker", statistic=statistic, period=_HOUR)
        for statistic in ("p50", "p99")
    ]
    return (
        _graph("Broker: requests", *answers),
        _graph("Broker: operations", *operations),
        _graph("Broker: operations that wait", waiting),
        _graph("Broker: time of operations, seconds", *times, oldest),
    )


def _functions(parts: Parts) -> tuple[cloudwatch.IWidget, ...]:
    functions = parts.functions.items()
    errors = [function.metric_errors(period=_FIVE, label=f"{name} errors") for name, function in functions]
    throttles = [function.metric_throttles(period=_FIVE, label=f"{name} throttles") for name, function in functions]
    concurrency = [
        function.metric("ConcurrentExecutions", period=_FIVE, statistic="Maximum", label=name)
        for name, function in functions
    ]
    cost = cloudwatch.MathExpression(
        expression=f"events * {_DOLLARS_PER_MILLION} / 1000000",
        using_metrics={"events": function_metric("EventsRecorded", service="feedback", period=Duration.days(1))},
        label="dollars a day, estimated from events",
        period=Duration.days(1),
    )
    return (
        _graph("Errors and throttles", *errors, *throttles),
        _graph("Concurrent executions", *concurrency),
        _graph("Estimated cost a day", cost, label="$"),
    )
