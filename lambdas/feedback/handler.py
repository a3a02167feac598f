"""SQS batch of SES events -> ledger, counters and deliveries. Returns the messages that SQS must redeliver."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.aws.clients import CLIENTS
from lambdas.aws.refusals import RefusalFields
from lambdas.feedback.batch import QueueMessage, process
from lambdas.feedback.composition import compose
from lambdas.feedback.observability import Observability
from lambdas.feedback.record import Recorder
from lambdas.feedback.settings import FeedbackSettings

logger = Logger(service="feedback")
logger.addFilter(RefusalFields())
metrics = Metrics(namespace="SesFeedback", service="feedback")
_side_by_side = ThreadPoolExecutor(
    max_workers=16
)  # instances at a time: each waits for DynamoDB and SQS most of its time


@metrics.log_metrics
def handler(event: dict[str, Any], _: LambdaContext) -> dict[str, Any]:
    """Record a batch of the events queue; see `lambdas.feedback.batch`."""
    messages = list(_messages(event))
    metrics.add_metric(name="MessagesRead", unit=MetricUnit.Count, value=len(messages))
    observability = Observability(logger, metrics)
    failed = process(messages, _recorder(), observability, now=datetime.now(UTC), run=_side_by_side.map)
    observability.finish()
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _messages(event: dict[str, Any]) -> Iterator[QueueMessage]:
    for record in event["Records"]:
        yield QueueMessage(id=record["messageId"], body=record["body"])


@cache
def _recorder() -> Recorder:
    return compose(FeedbackSettings.from_environment(), CLIENTS, run=_side_by_side.map)
