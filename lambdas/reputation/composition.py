"""The reputation functions' object graph."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from lambdas.aws.clients import Clients
from lambdas.aws.dynamodb.rate_limiter import RateLimiter
from lambdas.aws.dynamodb.reputation.organization_table import OrganizationTable
from lambdas.aws.dynamodb.reputation.pause_marks import PauseMarks
from lambdas.aws.dynamodb.reputation.reputation_table import ReputationTable
from lambdas.aws.dynamodb.reputation.sending_status_table import SendingStatusTable
from lambdas.aws.dynamodb.webhooks.instance_list import InstanceList
from lambdas.aws.dynamodb.webhooks.webhook_table import WebhookTable
from lambdas.aws.ses.reputation_metrics import SesRateMetrics
from lambdas.aws.ses.sending_options import SendingOptions
from lambdas.aws.sns.notifier import Notifier
from lambdas.aws.sqs.delivery_queue import DeliveryQueue
from lambdas.reputation.capping import DailyCap
from lambdas.reputation.enforce import Enforcer
from lambdas.reputation.evaluate import Evaluator
from lambdas.reputation.organizations import Organizations
from lambdas.reputation.reconcile import Reconciler, ReconciliationObserver
from lambdas.reputation.settings import ReputationSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """The object graph of the reputation functions; operators' commands use it too."""

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
    notifier: Notifier
    operator_topic_arn: str

    def reconciler(self, observer: ReconciliationObserver, time_left: Callable[[], float]) -> Reconciler:
        """A reconciler that waits for the rate limiter while *time_left* returns more than 0 seconds."""
        return Reconciler(
            evaluator=self.evaluator,
            statuses=self.statuses,
            counters=self.table,
            sending=self.sending,
            rates=self.rates,
            instances=self.instances,
            observer=observer,
            may_call_ses=lambda: _may_call_ses(self.rate_limiter, time_left),
        )


def compose(settings: ReputationSettings, clients: Clients) -> Composition:
    """Everything the functions and the operator's commands need, from the functions' settings."""
    dynamodb = clients.client("dynamodb")
    table = ReputationTable(dynamodb, settings.reputation_table)
    statuses = SendingStatusTable(dynamodb, settings.reputation_table)
    webhooks = WebhookTable(dynamodb, settings.webhooks_table)
    sending = SendingOptions(clients.client("sesv2"))
    rate_limiter = RateLimiter(dynamodb, settings.rate_limiter_table)
    notifier = Notifier(
        clients.client("sns"), partition=settings.partition, region=settings.region, account=settings.account
    )
    rules = settings.rules
    enforcer = Enforcer(
        sending=sending,
        rate_limiter=rate_limiter,
        notifier=notifier,
        delivery_queue=DeliveryQueue(clients.client("sqs"), settings.deliveries_queue_url),
        evidence=table,
        statuses=statuses,
        audience=webhooks.audience,
        rules=rules,
        alert_topic_prefix=f"arn:{settings.partition}:sns:{settings.region}:{settings.account}:",
        operator_topic_arn=settings.operator_topic_arn,
        event_topic_arn=settings.event_topic_arn,
        portal_url=settings.portal_url,
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
        rates=SesRateMetrics(clients.client("cloudwatch")),
        enforcer=enforcer,
        evaluator=evaluator,
        cap=DailyCap(cap=settings.daily_cap, counters=table, statuses=statuses, audience=webhooks.audience),
        marks=marks,
        notifier=notifier,
        operator_topic_arn=settings.operator_topic_arn,
    )


def _may_call_ses(rate_limiter: RateLimiter, time_left: Callable[[], float]) -> bool:
    while wait := rate_limiter.acquire(now=datetime.now(UTC)):
        if wait >= time_left():
            return False
        time.sleep(wait)
    return time_left() > 0
