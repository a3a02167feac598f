"""The delivery functions: `handler` posts the deliveries in the queue, `release` returns parked ones that are due."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from lambdas.aws.clients import CLIENTS
from lambdas.aws.refusals import RefusalFields
from lambdas.aws.sqs.delivery_queue import decode
from lambdas.delivery.composition import Composition, compose
from lambdas.delivery.settings import DeliverySettings
from lambdas.domain.schema import NewerSchema
from lambdas.domain.webhooks.delivery import DeliveryBatch

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

SETTLING = timedelta(seconds=10)  # before the function's end, for what is left after the last attempt
RELEASE_RUN = timedelta(seconds=55)  # that a run of release lasts when rounds are more often than its schedule

logger = Logger(service="delivery")
logger.addFilter(RefusalFields())
metrics = Metrics(namespace="SesFeedback", service="delivery")


def handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """Deliver a batch of the deliveries queue; answers with the messages that must come back."""
    batches, unread = _read(event["Records"])
    attempt = timedelta(seconds=_settings().attempt_seconds)
    deadline = _now() + timedelta(milliseconds=context.get_remaining_time_in_millis()) - attempt - SETTLING
    try:
        prompt = not _from_slow_queue(event["Records"])
        seen = {record["messageId"] for record in event["Records"] if _was_received(record)}
        failed = _loop().run(_composition().dispatcher.deliver(batches, deadline=deadline, prompt=prompt, seen=seen))
    finally:
        _flush()
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in unread + failed]}


def release(event: dict[str, Any], context: "LambdaContext") -> None:  # noqa: ARG001  # the schedule says nothing
    """Release what is due, once a run, or several times where the settings ask for more than one round a minute.

    Every five minutes it also measures what waits.
    """
    every = _settings().release_seconds
    began = _now()
    left = timedelta(milliseconds=context.get_remaining_time_in_millis())
    try:
        _composition().gauges.record_if_due(now=began)
        while True:
            _composition().releaser.release(deadline=began + left - SETTLING)
            if _now() - began + timedelta(seconds=every) > min(RELEASE_RUN, left - SETTLING):
                return
            time.sleep(every)
    finally:
        _flush()


def _from_slow_queue(records: list[dict[str, Any]]) -> bool:
    """Whether a batch came through the slow queue. Lambda never mixes two queues in a batch."""
    name = _settings().slow_deliveries_queue_url.rpartition("/")[2]
    return str(records[0]["eventSourceARN"]).rpartition(":")[2] == name


def _was_received(record: dict[str, Any]) -> bool:
    """Whether SQS delivers the message for the second time or more. It counts throttled invocations, too."""
    return int(record.get("attributes", {}).get("ApproximateReceiveCount", 1)) > 1


def _read(records: list[dict[str, Any]]) -> tuple[dict[str, DeliveryBatch], list[str]]:
    """The batches by message id, and the ids of those that cannot be read.

    Only this stack writes here, so these return to the queue and the dead-letter queue keeps them: one that a later
    release wrote is delivered after an upgrade and a redrive.
    """
    batches, unread = {}, []
    for record in records:
        try:
            batches[record["messageId"]] = decode(record["body"])
        except (msgspec.DecodeError, NewerSchema) as error:
            unread.append(record["messageId"])
            logger.warning("message unreadable", extra={"message_id": unread[-1], "reason": str(error)})
            _count("MessagesUnreadable", 1)
    return batches, unread


def _now() -> datetime:
    return datetime.now(UTC)


def _count(name: str, value: int) -> None:
    metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)


def _seconds(name: str, values: Sequence[float]) -> None:
    for value in values:
        metrics.add_metric(name=name, unit=MetricUnit.Seconds, value=value)


def _flush() -> None:
    if metrics.provider.metric_set:  # Powertools warns of nothing to flush
        metrics.flush_metrics()


@cache
def _settings() -> DeliverySettings:
    return DeliverySettings.from_environment()


@cache
def _loop() -> asyncio.Runner:
    """One event loop a process, so that connections outlive an invocation."""
    return asyncio.Runner()


@cache
def _composition() -> Composition:
    return compose(_settings(), CLIENTS, logger=logger, count=_count, seconds=_seconds)
