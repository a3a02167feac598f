"""The operator topic and the alarms that publish to it."""

import re
from typing import cast

from aws_cdk import Aws, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.accepted import accept
from lambdas.domain.webhooks.service_level import TARGET_SECONDS, TARGET_SHARE

NAMESPACE = "SesFeedback"  # of the functions' own metrics
_LOST_IN = Duration.days(14)  # queues keep a message that long
_UNREAD = Duration.days(3)  # a dead letter that is not handled in that time raises a second alarm


class Operator(Construct):
    """The operator topic and its alarms. The reputation functions publish notifications to `topic` as well."""

    def __init__(self, scope: Construct, id: str, *, key: kms.IKey, email: str, runbook_url: str = "") -> None:
        super().__init__(scope, id)
        self._runbook_url = runbook_url.rstrip("/")
        self.topic = sns.Topic(self, "Topic", master_key=key, enforce_ssl=True)
        if email:
            subscription = self.topic.add_subscription(subscriptions.EmailSubscription(email))
            accept(
                subscription,
                "Serverless-SNSRedrivePolicy",
                because="Mail to a person: SNS retries it, and the alarm stays visible as long as it lasts.",
            )
        self._admit(
            "AlarmsOfThisAccount", "cloudwatch.amazonaws.com", {"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}
        )
        over = _recoveries(self, self.topic)
        self._admit("AlarmsThatEnd", "events.amazonaws.com", {"ArnEquals": {"aws:SourceArn": over.attr_arn}})
        self.watch_service_level()

    def _admit(self, sid: str, service: str, condition: dict[str, dict[str, str]]) -> None:
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid=sid,
                principals=[iam.ServicePrincipal(service)],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions=condition,
            )
        )

    def alarm(
        self,
        id: str,
        metric: cloudwatch.IMetric,
        *,
        above: float,
        because: str,
        runbook: str,
        periods: int = 1,
    ) -> cloudwatch.Alarm:
        """Notify the operator when *metric* is above *above* for *periods* periods running, and when that ends.

        *runbook* is the name of a page of docs/runbooks, without its ending.
        """
        alarm = cloudwatch.Alarm(
            self,
            id,
            metric=metric,
            threshold=above,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=periods,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            alarm_description=f"{because} Runbook: {self._runbook(runbook)}",
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
        return alarm

    def _runbook(self, name: str) -> str:
        return f"{self._runbook_url}/{name}.html" if self._runbook_url else f"docs/runbooks/{name}.md"

    def watch_dead_letters(self, id: str, queue: sqs.IQueue, *, name: str, because: str) -> None:
        """Alarm on the first message of a dead-letter queue, and on one that is three days old.

        *name* is the queue's in the stack's outputs, for the commands that the alarm names.
        """
        advice = (
            f"`python -m ops dlq list {name}` shows them, `python -m ops dlq redrive {name}` sends them back when the "
            "cause is repaired."
        )
        self.alarm(
            f"{id}Depth",
            queue.metric_approximate_number_of_messages_visible(period=Duration.minutes(5), statistic="Maximum"),
            above=0,
            because=f"{because} {advice}",
            runbook="dead-letters",
        )
        self.alarm(
            f"{id}Age",
            queue.metric_approximate_age_of_oldest_message(period=Duration.minutes(5), statistic="Maximum"),
            above=_UNREAD.to_seconds(),
            because=f"{because} The oldest waits for {_UNREAD.to_days()} days and is lost after {_LOST_IN.to_days()}. "
            f"{advice}",
            runbook="dead-letters",
        )

    def watch_age(self, id: str, queue: sqs.IQueue, *, above: Duration, because: str) -> None:
        """Alarm when the oldest message of a working queue is older than *above* for 15 minutes."""
        self.alarm(
            f"{id}Age",
            queue.metric_approximate_age_of_oldest_message(period=Duration.minutes(5), statistic="Maximum"),
            above=above.to_seconds(),
            because=because,
            runbook="queue-age",
            periods=3,
        )

    def watch_errors(self, id: str, function: lambda_.IFunction, *, because: str) -> None:
        """Alarm when a function fails, or is throttled, in three five-minute periods running."""
        five = Duration.minutes(5)
        advice = f"`python -m ops errors {output_name(id)}` shows its errors."
        self.alarm(
            f"{id}Errors",
            function.metric_errors(period=five),
            above=0,
            because=f"{because} {advice}",
            runbook="function-errors",
            periods=3,
        )
        self.alarm(
            f"{id}Throttles",
            function.metric_throttles(period=five),
            above=0,
            because=f"{because} Lambda throttled it: the account's concurrency is used up. "
            "`python -m ops doctor` shows the quota.",
            runbook="throttles",
            periods=3,
        )

    def watch_count(self, id: str, metric: str, *, service: str, because: str, runbook: str, periods: int = 1) -> None:
        """Alarm when the functions of *service* count any *metric* in *periods* five-minute periods running."""
        counted = function_metric(metric, service=service)
        self.alarm(id, counted, above=0, because=because, runbook=runbook, periods=periods)

    def watch_service_level(self) -> None:
        """Alarm when first attempts are late so often that a month's allowance is used up within days.

        The allowance is 1 % of a month's first attempts. The limits and windows are those of the SRE workbook's table
        of burn rates, each as one alarm: at 14.4 times the allowance it is used up in two days, at 6 times in five.
        More than 14.4 % are late when the 85.6th percentile is.
        """
        allowance = 1 - TARGET_SHARE
        for id, hours, burn in (("ServiceLevelFastBurn", 1, 14.4), ("ServiceLevelSlowBurn", 6, 6.0)):
            percentile = f"p{100 * (1 - burn * allowance):g}"
            waits = function_metric(
                "EventToWebhookSeconds", service="delivery", statistic=percentile, period=Duration.hours(hours)
            )
            alarm = self.alarm(
                id,
                waits,
                above=TARGET_SECONDS,
                because=f"More than {burn * allowance:.1%} of first attempts in {hours} h began more than "
                f"{TARGET_SECONDS:.0f} s after their events arrived; {allowance:.0%} may. `python -m ops doctor` shows "
                "what stands still.",
                runbook="slow-deliveries",
            )
            child = cast(cloudwatch.CfnAlarm, alarm.node.default_child)
            child.evaluate_low_sample_count_percentile = "ignore"  # too few late attempts to be significant


def function_metric(
    metric: str, *, service: str, statistic: str = "Sum", period: Duration | None = None
) -> cloudwatch.Metric:
    """A metric that the functions of *service* record themselves."""
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=metric,
        dimensions_map={"service": service},  # Powertools adds this dimension to each metric
        period=period or Duration.minutes(5),
        statistic=statistic,
    )


def late_share(period: Duration) -> cloudwatch.MathExpression:
    """The share of first attempts that were late; 0 for fewer than a hundred attempts, which are not significant."""
    return cloudwatch.MathExpression(
        expression="IF(first >= 100, late / first, 0)",
        using_metrics={
            "first": function_metric("FirstAttempts", service="delivery", period=period),
            "late": function_metric("FirstAttemptsLate", service="delivery", period=period),
        },
        label="late first attempts",
        period=period,
    )


def output_name(id: str) -> str:
    """A function's name in the stack's outputs: `reputation-sweep` for the construct `ReputationSweep`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", id).lower()


def _recoveries(scope: Operator, topic: sns.ITopic) -> events.CfnRule:
    """Publish to *topic* when an alarm of this stack goes from ALARM to OK.

    Not by the alarms' own OK actions: those also run when a new alarm leaves INSUFFICIENT_DATA, so that a deployment
    would send a mail for each of them at once, and SNS deactivates a subscription at more than ten mails a second.
    """
    rule = events.CfnRule(
        scope,
        "Recoveries",
        description="An alarm of ses-feedback is over",
        event_pattern={
            "source": ["aws.cloudwatch"],
            "detail-type": ["CloudWatch Alarm State Change"],
            "resources": [
                {"prefix": f"arn:{Aws.PARTITION}:cloudwatch:{Aws.REGION}:{Aws.ACCOUNT_ID}:alarm:{Aws.STACK_NAME}-"}
            ],
            "detail": {"previousState": {"value": ["ALARM"]}, "state": {"value": ["OK"]}},
        },
        targets=[
            events.CfnRule.TargetProperty(
                id="Operator",
                arn=topic.topic_arn,
                input_transformer=events.CfnRule.InputTransformerProperty(
                    input_paths_map={
                        "alarm": "$.detail.alarmName",
                        "because": "$.detail.configuration.description",
                        "time": "$.time",
                    },
                    input_template='"OK since <time>: <alarm>. The alarm was: <because>"',
                ),
            )
        ],
    )
    accept(
        rule,
        "Serverless-EventBusDLQ",
        because="A mail that an alarm is over; the alarm's state in CloudWatch says the same.",
    )
    return rule
