"""The delivery functions: `handler` posts what the deliveries queue holds, `release` sends back to it what is due.

What only one of them needs is imported where it is made: release, which runs every minute, needs no libcurl.
"""

import asyncio
import gc
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from lambdas.aws.clients import client, impatient_dynamodb
from lambdas.aws.dynamodb.backlog.archive import Archive
from lambdas.aws.dynamodb.backlog.backlog import Backlog
from lambdas.aws.dynamodb.webhooks.webhook_states import WebhookStates
from lambdas.aws.kms.webhook_secrets import SecretDecrypter
from lambdas.aws.sns.notifier import Notifier
from lambdas.aws.sqs.delivery_queue import DeliveryQueue, decode
from lambdas.delivery.health_transitions import HealthTransitions
from lambdas.delivery.ports import DeliveryRules, Queues
from lambdas.delivery.settings import DeliverySettings
from lambdas.domain.webhooks.delivery import DeliveryBatch
from lambdas.domain.webhooks.health import HealthRules
from lambdas.domain.webhooks.retry_schedule import RetrySchedule

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from lambdas.delivery.dispatch import Dispatcher
    from lambdas.delivery.release import Releaser

SETTLING = timedelta(seconds=10)  # before the function's end, for what is left after the last attempt
RELEASE_RUN = timedelta(seconds=55)  # that a run of release lasts when rounds are more often than its schedule

logger = Logger(service="delivery")
metrics = Metrics(namespace="SesFeedback", service="delivery")


def handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """Deliver a batch of the deliveries queue; answers with the messages that must come back."""
    batches, unread = _read(event["Records"])
    attempt = timedelta(seconds=_settings().attempt_seconds)
    deadline = _now() + timedelta(milliseconds=context.get_remaining_time_in_millis()) - attempt - SETTLING
    try:
        prompt = not _from_slow_queue(event["Records"])
        failed = _loop().run(_dispatcher().deliver(batches, deadline=deadline, prompt=prompt))
    finally:
        _flush()
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in unread + failed]}


def release(event: dict[str, Any], context: "LambdaContext") -> None:  # noqa: ARG001  # the schedule says nothing
    """Release what is due, once a run, or several times where the settings ask for more than one round a minute."""
    every = _settings().release_seconds
    began = _now()
    left = timedelta(milliseconds=context.get_remaining_time_in_millis())
    try:
        while True:
            _releaser().release(deadline=began + left - SETTLING)
            if every >= 60 or _now() - began + timedelta(seconds=every) > min(RELEASE_RUN, left - SETTLING):
                return
            time.sleep(every)
    finally:
        _flush()


def _from_slow_queue(records: list[dict[str, Any]]) -> bool:
    """Whether a batch came through the slow queue. Lambda never mixes two queues in a batch."""
    name = _settings().slow_deliveries_queue_url.rpartition("/")[2]
    return str(records[0]["eventSourceARN"]).rpartition(":")[2] == name


def _read(records: list[dict[str, Any]]) -> tuple[dict[str, DeliveryBatch], list[str]]:
    """The batches by message id, and the ids of what is none: only we write here, so the dead-letter queue keeps it."""
    batches, unread = {}, []
    for record in records:
        try:
            batches[record["messageId"]] = decode(record["body"])
        except msgspec.DecodeError as error:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Composition:
    """What both functions are made of."""

    queues: Queues
    states: WebhookStates
    backlog: Backlog
    notifier: Notifier
    transitions: HealthTransitions


@cache
def _composition() -> _Composition:
    settings = _settings()
    states = WebhookStates(client("dynamodb"), settings.webhooks_table)
    backlog = Backlog(client("dynamodb"), settings.backlog_table)
    notifier = Notifier(client("sns"), partition=settings.partition, region=settings.region, account=settings.account)
    return _Composition(
        queues=Queues(
            prompt=DeliveryQueue(client("sqs"), settings.deliveries_queue_url),
            slow=DeliveryQueue(client("sqs"), settings.slow_deliveries_queue_url),
        ),
        states=states,
        backlog=backlog,
        notifier=notifier,
        transitions=HealthTransitions(states=states, backlog=backlog, notifier=notifier, logger=logger, count=_count),
    )


@contextmanager
def _without_collector() -> Iterator[None]:
    """Import what is large while the garbage collector rests: it would walk all that is being made, time and again."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@cache
def _dispatcher() -> "Dispatcher":
    with _without_collector():
        from lambdas.delivery.certificates import ca_file
        from lambdas.delivery.concurrency import CONNECTIONS
        from lambdas.delivery.dispatch import Dispatcher
        from lambdas.delivery.name_resolver import NameResolver
        from lambdas.delivery.observability import DeliveryLog
        from lambdas.delivery.webhook_client import WebhookClient
    from lambdas.domain.webhooks.address_rules import AddressRules

    settings, parts = _settings(), _composition()
    addresses = AddressRules.parse(settings.allowed_cidrs, allow_http=settings.allow_http)
    return Dispatcher(
        queues=parts.queues,
        states=parts.states,
        tests=parts.states,
        backlog=parts.backlog,
        archive=Archive(impatient_dynamodb(), settings.backlog_table),
        transitions=parts.transitions,
        decrypt=SecretDecrypter(client("kms")),
        client=WebhookClient(
            addresses, NameResolver(addresses), ca_file(settings.private_ca_file), connections=CONNECTIONS
        ),
        rules=_rules(settings),
        clock=_now,
        jitter=lambda: random.uniform(-1, 1),  # noqa: S311  # jitter, no secret
        log=DeliveryLog(logger=logger, count=_count, seconds=_seconds),
    )


@cache
def _releaser() -> "Releaser":
    from lambdas.delivery.digests import Digests
    from lambdas.delivery.release import Releaser

    parts = _composition()
    return Releaser(
        queues=parts.queues,
        states=parts.states,
        partitions=parts.backlog,
        digests=Digests(topics=parts.notifier, states=parts.states, logger=logger, count=_count),
        transitions=parts.transitions,
        clock=_now,
        logger=logger,
        count=_count,
    )


def _rules(settings: DeliverySettings) -> DeliveryRules:
    return DeliveryRules(
        retry_schedule=RetrySchedule.parse(settings.retry_seconds),
        health=HealthRules(
            failing_after=timedelta(seconds=settings.failing_seconds),
            disabled_after=timedelta(seconds=settings.disabled_seconds),
            probes=tuple(float(wait) for wait in settings.probe_seconds.split(",")),
        ),
        release_every=settings.release_seconds,
        attempt_seconds=settings.attempt_seconds,
    )
