"""The portal's functions: `handler` answers one request of the HTTP API, `replay` makes the steps of replays."""

from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.aws.clients import CLIENTS, InteractiveClients, LazyClients
from lambdas.aws.refusals import RefusalFields
from lambdas.aws.sqs.replay_queue import ReplayQueue, ReplayStep, decode
from lambdas.portal.app import FAULT, Portal
from lambdas.portal.composition import compose, compose_replayer
from lambdas.portal.http import Response, request_of, written
from lambdas.portal.replaying import Replayer
from lambdas.portal.settings import PortalSettings

logger = Logger(service="portal")
logger.addFilter(RefusalFields())
metrics = Metrics(namespace="SesFeedback", service="portal")
_RESERVE = 20_000  # ms of a run's time that are kept for the step under way


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _: LambdaContext) -> dict[str, Any]:
    """Answer one request."""
    settings = _settings()
    request = request_of(event, public_url=settings.public_url)
    return written(_portal().answer(request, now=datetime.now(UTC)))


@logger.inject_lambda_context
@metrics.log_metrics
def replay(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Make steps of replays while there is time, then queue the rest. A step that fails comes back."""
    failed = []
    for record in event["Records"]:
        try:
            _replay(decode(record["body"]), context)
        except Exception:  # this one comes back, the others need not
            logger.exception("replay step failed")
            failed.append(record["messageId"])
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _replay(step: ReplayStep, context: LambdaContext) -> None:
    more = _replayer().run(
        step.instance_id,
        step.webhook_id,
        step.replay_id,
        time_left=lambda: context.get_remaining_time_in_millis() > _RESERVE,
        clock=lambda: datetime.now(UTC),
    )
    if more:
        queue = ReplayQueue(CLIENTS.client("sqs"), _settings().replays_queue_url)
        queue.send(step.instance_id, step.webhook_id, step.replay_id)
    ids = {"instance_id": step.instance_id, "webhook_id": step.webhook_id, "replay": step.replay_id}
    logger.info("replay went on" if more else "replay ended", extra=ids)
    metrics.add_metric(name="ReplaySteps", unit=MetricUnit.Count, value=1)


def _log(route: str, instance: str, response: Response, fault: Exception | None) -> None:
    """One line a request: names and ids, no address, no path, no query."""
    fields = {"route": route, "instance_id": instance, "status": response.status}
    if fault is not None:
        logger.error("request failed", extra=fields, exc_info=fault)
    else:
        logger.info("request answered", extra=fields)
    name = "PortalFaults" if response.status >= FAULT else "PortalAnswers"
    metrics.add_metric(name=name, unit=MetricUnit.Count, value=1)


@cache
def _settings() -> PortalSettings:
    return PortalSettings.from_environment()


@cache
def _replayer() -> Replayer:
    return compose_replayer(_settings(), CLIENTS)


@cache
def _portal() -> Portal:
    return compose(_settings(), LazyClients(InteractiveClients(CLIENTS)), log=_log)
