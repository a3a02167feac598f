"""Changed counters -> verdicts and what follows from them; and the sweep that finishes and checks them."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.aws.clients import client
from lambdas.aws.dynamodb.rate_limiter import RateLimiter
from lambdas.aws.dynamodb.reputation.organization_table import OrganizationTable
from lambdas.aws.dynamodb.reputation.pause_marks import PauseMarks
from lambdas.aws.dynamodb.reputation.reputation_table import ReputationTable
from lambdas.aws.dynamodb.reputation.sending_status_table import SendingStatusTable
from lambdas.aws.dynamodb.webhooks.instance_list import InstanceList
from lambdas.aws.dynamodb.webhooks.webhook_table import WebhookTable
from lambdas.aws.ses.reputation_metrics import SesRateMetrics
from lambdas.aws.ses.sending_options import SendingOptions
from lambdas.aws.sns.alerts import Alerts
from lambdas.aws.sqs.delivery_queue import DeliveryQueue
from lambdas.reputation.capping import DailyCap
from lambdas.reputation.enforce import Enforcer
from lambdas.reputation.evaluate import Evaluator
from lambdas.reputation.observability import Observability
from lambdas.reputation.organizations import Organizations
from lambdas.reputation.reconcile import Reconciler
from lambdas.reputation.rules import rules_of
from lambdas.reputation.settings import ReputationSettings
from lambdas.reputation.stream import Change, evaluate_all

logger = Logger(service="reputation")
metrics = Metrics(namespace="SesFeedback", service="reputation")
_RESERVE = 20.0  # s of a sweep's time that are kept for the check under way and the last words


@logger.inject_lambda_context(log_event=False)  # never: an event holds addresses or credentials
@metrics.log_metrics
def handler(event: dict[str, Any], _: LambdaContext) -> dict[str, Any]:
    """Judge the instances of a batch of the table's stream; see `lambdas.reputation.evaluate`."""
    composition = _composition()
    changes = list(_changes(event))
    metrics.add_metric(name="CountersChanged", unit=MetricUnit.Count, value=len(changes))

    def evaluate(instance_id: str, claimers: frozenset[str]) -> None:
        if composition.webhooks.audience(instance_id) is None:
            logger.warning("counters of a deleted instance changed", extra={"instance_id": instance_id})
            return
        composition.observability.evaluated(
            composition.evaluator.evaluate(instance_id, claimers=claimers, now=datetime.now(UTC))
        )

    again = evaluate_all(changes, evaluate, composition.observability.failed)
    return {"batchItemFailures": [{"itemIdentifier": sequence} for sequence in again]}


@logger.inject_lambda_context(log_event=False)  # never: an event holds addresses or credentials
@metrics.log_metrics
def reconcile(_event: dict[str, Any], context: LambdaContext) -> None:
    """Finish what was left undone, and compare a slice of the instances with SES; see
    `lambdas.reputation.reconcile`."""
    composition = _composition()
    reconciler = composition.reconciler(lambda: context.get_remaining_time_in_millis() / 1000 - _RESERVE)
    composition.observability.reconciled(reconciler.reconcile(now=datetime.now(UTC)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """The functions' parts, put together; the operator's commands use them too."""

    webhooks: WebhookTable
    table: ReputationTable
    statuses: SendingStatusTable
    sending: SendingOptions
    rate_limiter: RateLimiter
    instances: InstanceList
    rates: SesRateMetrics
    enforcer: Enforcer
    evaluator: Evaluator
    cap: DailyCap
    marks: PauseMarks
    observability: Observability

    def reconciler(self, time_left: Callable[[], float]) -> Reconciler:
        """A sweeper that waits for the rate limiter as long as there are *time_left* seconds."""
        return Reconciler(
            evaluator=self.evaluator,
            statuses=self.statuses,
            counters=self.table,
            sending=self.sending,
            rates=self.rates,
            instances=self.instances,
            observer=self.observability,
            may_call_ses=lambda: _may_call_ses(self.rate_limiter, time_left),
        )


def compose(settings: ReputationSettings) -> Composition:
    """The parts as *settings* say."""
    dynamodb = client("dynamodb")
    table = ReputationTable(dynamodb, settings.reputation_table)
    statuses = SendingStatusTable(dynamodb, settings.reputation_table)
    webhooks = WebhookTable(dynamodb, settings.webhooks_table)
    sending = SendingOptions(client("sesv2"))
    rate_limiter = RateLimiter(dynamodb, settings.rate_limiter_table)
    alerts = Alerts(client("sns"))
    rules = rules_of(settings)
    enforcer = Enforcer(
        sending=sending,
        rate_limiter=rate_limiter,
        alerts=alerts,
        delivery_queue=DeliveryQueue(client("sqs"), settings.deliveries_queue_url),
        evidence=table,
        statuses=statuses,
        audience=webhooks.audience,
        rules=rules,
        alert_topic_prefix=f"arn:{settings.partition}:sns:{settings.region}:{settings.account}:",
        operator_topic_arn=settings.operator_topic_arn,
        event_topic_arn=settings.event_topic_arn,
    )
    marks = PauseMarks(dynamodb, settings.reputation_table)
    members = OrganizationTable(dynamodb, settings.reputation_table)
    evaluator = Evaluator(
        counters=table,
        statuses=statuses,
        marks=marks,
        organizations=Organizations(table=members, counters=table, statuses=statuses, rules=rules),
        enforcer=enforcer,
        rules=rules,
        audience=webhooks.audience,
    )
    return Composition(
        webhooks=webhooks,
        table=table,
        statuses=statuses,
        sending=sending,
        rate_limiter=rate_limiter,
        instances=InstanceList(dynamodb, settings.webhooks_table),
        rates=SesRateMetrics(client("cloudwatch")),
        enforcer=enforcer,
        evaluator=evaluator,
        cap=DailyCap(
            cap=settings.daily_cap, counters=table, statuses=statuses, evaluator=evaluator, audience=webhooks.audience
        ),
        marks=marks,
        observability=Observability(logger, metrics, alerts, settings.operator_topic_arn),
    )


@cache
def _composition() -> Composition:
    return compose(ReputationSettings.from_environment())


def _changes(event: dict[str, Any]) -> Iterator[Change]:
    for record in event["Records"]:
        yield Change(
            event_id=record["eventID"],
            sequence=record["dynamodb"]["SequenceNumber"],
            instance_id=record["dynamodb"]["Keys"]["instance_id"]["S"],
        )


def _may_call_ses(rate_limiter: RateLimiter, time_left: Callable[[], float]) -> bool:
    while wait := rate_limiter.acquire(now=datetime.now(UTC)):
        if wait >= time_left():
            return False
        time.sleep(wait)
    return time_left() > 0
