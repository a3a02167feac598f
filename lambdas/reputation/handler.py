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

from lambdas.aws.alerts import Alerts
from lambdas.aws.clients import client
from lambdas.aws.delivery_queue import DeliveryQueue
from lambdas.aws.instance_list import InstanceList
from lambdas.aws.pacer import Pacer
from lambdas.aws.reputation_table import ReputationTable
from lambdas.aws.sending import Sending
from lambdas.aws.ses_rates import SesRateMetrics
from lambdas.aws.standing_table import StandingTable
from lambdas.aws.webhook_table import WebhookTable
from lambdas.reputation.acting import Actor
from lambdas.reputation.judging import Judge
from lambdas.reputation.rules import rules_of
from lambdas.reputation.settings import ReputationSettings
from lambdas.reputation.streaming import Change, judge_all
from lambdas.reputation.sweeping import Sweeper
from lambdas.reputation.telling import Telling

logger = Logger(service="reputation")
metrics = Metrics(namespace="SesFeedback", service="reputation")
_RESERVE = 20.0  # s of a sweep's time that are kept for the check under way and the last words


@logger.inject_lambda_context(log_event=False)  # never: an event holds addresses or credentials
@metrics.log_metrics
def handler(event: dict[str, Any], _: LambdaContext) -> dict[str, Any]:
    """Judge the instances of a batch of the table's stream; see `lambdas.reputation.judging`."""
    parts = _parts()
    changes = list(_changes(event))
    metrics.add_metric(name="CountersChanged", unit=MetricUnit.Count, value=len(changes))

    def judge(instance_id: str, claimers: frozenset[str]) -> None:
        if parts.webhooks.audience(instance_id) is None:
            logger.warning("counters of an instance that is gone changed", extra={"instance_id": instance_id})
            return
        parts.telling.judged(parts.judge.judge(instance_id, claimers=claimers, now=datetime.now(UTC)))

    again = judge_all(changes, judge, parts.telling.failed)
    return {"batchItemFailures": [{"itemIdentifier": sequence} for sequence in again]}


@logger.inject_lambda_context(log_event=False)  # never: an event holds addresses or credentials
@metrics.log_metrics
def sweep(_event: dict[str, Any], context: LambdaContext) -> None:
    """Finish what was left undone, and compare a slice of the instances with SES; see `lambdas.reputation.sweeping`."""
    parts = _parts()
    sweeper = parts.sweeper(lambda: context.get_remaining_time_in_millis() / 1000 - _RESERVE)
    parts.telling.swept(sweeper.sweep(now=datetime.now(UTC)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The functions' parts, put together; the operator's commands use them too."""

    webhooks: WebhookTable
    table: ReputationTable
    standings: StandingTable
    sending: Sending
    pacer: Pacer
    instances: InstanceList
    rates: SesRateMetrics
    actor: Actor
    judge: Judge
    telling: Telling

    def sweeper(self, time_left: Callable[[], float]) -> Sweeper:
        """A sweeper that waits for the pacer as long as there are *time_left* seconds."""
        return Sweeper(
            judge=self.judge,
            standings=self.standings,
            counters=self.table,
            sending=self.sending,
            rates=self.rates,
            instances=self.instances,
            report=self.telling,
            exists=lambda instance_id: self.webhooks.audience(instance_id) is not None,
            leave=lambda: _leave(self.pacer, time_left),
        )


def compose(settings: ReputationSettings) -> Parts:
    """The parts as *settings* say."""
    dynamodb = client("dynamodb")
    table = ReputationTable(dynamodb, settings.reputation_table)
    standings = StandingTable(dynamodb, settings.reputation_table)
    webhooks = WebhookTable(dynamodb, settings.webhooks_table)
    sending = Sending(client("sesv2"))
    pacer = Pacer(dynamodb, settings.pacer_table)
    alerts = Alerts(client("sns"))
    rules = rules_of(settings)
    actor = Actor(
        sending=sending,
        pacer=pacer,
        alerts=alerts,
        outbox=DeliveryQueue(client("sqs"), settings.deliveries_queue_url),
        evidence=table,
        standings=standings,
        audience=webhooks.audience,
        rules=rules,
        alert_topic_prefix=f"arn:{settings.partition}:sns:{settings.region}:{settings.account}:",
        operator_topic_arn=settings.operator_topic_arn,
        event_topic_arn=settings.event_topic_arn,
    )
    return Parts(
        webhooks=webhooks,
        table=table,
        standings=standings,
        sending=sending,
        pacer=pacer,
        instances=InstanceList(dynamodb, settings.webhooks_table),
        rates=SesRateMetrics(client("cloudwatch")),
        actor=actor,
        judge=Judge(counters=table, standings=standings, actor=actor, rules=rules),
        telling=Telling(logger, metrics, alerts, settings.operator_topic_arn),
    )


@cache
def _parts() -> Parts:
    return compose(ReputationSettings.from_environment())


def _changes(event: dict[str, Any]) -> Iterator[Change]:
    for record in event["Records"]:
        yield Change(
            event_id=record["eventID"],
            sequence=record["dynamodb"]["SequenceNumber"],
            instance_id=record["dynamodb"]["Keys"]["instance_id"]["S"],
        )


def _leave(pacer: Pacer, time_left: Callable[[], float]) -> bool:
    while wait := pacer.acquire(now=datetime.now(UTC)):
        if wait >= time_left():
            return False
        time.sleep(wait)
    return time_left() > 0
