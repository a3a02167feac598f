"""The reputation functions.

`handler` evaluates instances whose counters changed, `reconcile` completes pending transitions and compares with SES,
`cap` pauses instances that reached the operator's daily cap.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.aws.clients import CLIENTS
from lambdas.aws.refusals import RefusalFields
from lambdas.reputation.composition import Composition, compose
from lambdas.reputation.observability import Observability
from lambdas.reputation.settings import ReputationSettings
from lambdas.reputation.stream import Change, evaluate_all

logger = Logger(service="reputation")
logger.addFilter(RefusalFields())
metrics = Metrics(namespace="SesFeedback", service="reputation")
_RESERVE = 20.0  # s of the run that are kept for the check in progress and the final log line


@logger.inject_lambda_context(log_event=False)  # never: an event holds addresses or credentials
@metrics.log_metrics
def handler(event: dict[str, Any], _: LambdaContext) -> dict[str, Any]:
    """Evaluate the instances in a batch of the table's stream; see `lambdas.reputation.evaluate`."""
    composition, observability = _composition(), _observability()
    changes = list(_changes(event))
    metrics.add_metric(name="CountersChanged", unit=MetricUnit.Count, value=len(changes))

    def evaluate(instance_id: str, claimers: frozenset[str]) -> None:
        if composition.webhooks.audience(instance_id) is None:
            logger.warning("counters of a deleted instance changed", extra={"instance_id": instance_id})
            return
        observability.evaluated(composition.evaluator.evaluate(instance_id, claimers=claimers, now=datetime.now(UTC)))

    again = evaluate_all(changes, evaluate, observability.failed)
    return {"batchItemFailures": [{"itemIdentifier": sequence} for sequence in again]}


@logger.inject_lambda_context(log_event=False)  # never: an event holds addresses or credentials
@metrics.log_metrics
def reconcile(_event: dict[str, Any], context: LambdaContext) -> None:
    """Complete pending transitions and compare some instances with SES; see `lambdas.reputation.reconcile`."""
    observability = _observability()
    reconciler = _composition().reconciler(
        observability, lambda: context.get_remaining_time_in_millis() / 1000 - _RESERVE
    )
    observability.reconciled(reconciler.reconcile(now=datetime.now(UTC)))


@logger.inject_lambda_context(log_event=False)  # never: an event holds addresses or credentials
@metrics.log_metrics
def cap(event: dict[str, Any], _: LambdaContext) -> dict[str, Any]:
    """Pause the instances in a batch of the table's stream that reached the day's cap; see
    `lambdas.reputation.capping`."""
    composition, observability = _composition(), _observability()
    capped: list[str] = []

    def enforce(instance_id: str, _: frozenset[str]) -> None:
        if composition.cap.enforce(instance_id, now=datetime.now(UTC)):
            observability.capped(instance_id)
            capped.append(instance_id)

    again = evaluate_all(list(_changes(event)), enforce, observability.failed)
    metrics.add_metric(name="InstancesCapped", unit=MetricUnit.Count, value=len(capped))
    return {"batchItemFailures": [{"itemIdentifier": sequence} for sequence in again]}


@cache
def _composition() -> Composition:
    return compose(ReputationSettings.from_environment(), CLIENTS)


@cache
def _observability() -> Observability:
    composition = _composition()
    return Observability(logger, metrics, composition.notifier, composition.operator_topic_arn)


def _changes(event: dict[str, Any]) -> Iterator[Change]:
    for record in event["Records"]:
        yield Change(
            event_id=record["eventID"],
            sequence=record["dynamodb"]["SequenceNumber"],
            instance_id=record["dynamodb"]["Keys"]["instance_id"]["S"],
        )
