"""The broker's functions: `handler` answers OSB requests, `worker` runs operations, `cleanup` removes leftovers."""

import base64
import json
from functools import cache
from typing import Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.aws.clients import CLIENTS, LazyClients
from lambdas.aws.refusals import RefusalFields
from lambdas.aws.sqs.operations_queue import decode
from lambdas.broker.composition import Composition, clock, compose
from lambdas.broker.observability import Observability
from lambdas.broker.operations.cleanup import Cleanup
from lambdas.broker.operations.engine import Engine
from lambdas.broker.osb.api import Api
from lambdas.broker.osb.requests import Request, Response
from lambdas.broker.settings import BrokerSettings
from lambdas.domain.schema import NewerSchema

logger = Logger(service="broker")
logger.addFilter(RefusalFields())
metrics = Metrics(namespace="SesFeedback", service="broker")


@logger.inject_lambda_context(log_event=False)  # never: an event holds addresses or credentials
@metrics.log_metrics
def handler(event: dict[str, Any], _: LambdaContext) -> dict[str, Any]:
    """Answer one request of the HTTP API or of the REST API."""
    return _written(_api().answer(_request(event), now=clock()))


@logger.inject_lambda_context(log_event=False)  # never: an event holds addresses or credentials
@metrics.log_metrics
def worker(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Run steps of each operation in the batch. SQS redelivers a message if the worker crashes."""
    failed = []
    metrics.add_metric(name="StepRuns", unit=MetricUnit.Count, value=len(event["Records"]))
    for number, record in enumerate(event["Records"]):
        try:
            message = decode(record["body"])
        except msgspec.DecodeError:
            logger.exception("operation message dropped: malformed", extra={"message_id": record["messageId"]})
            metrics.add_metric(name="OperationMessagesDropped", unit=MetricUnit.Count, value=1)
            continue
        except NewerSchema as error:  # the dead-letter queue keeps it until the later release is back
            logger.error("operation message returned: unreadable", extra={"reason": str(error)})  # noqa: TRY400
            failed.append(record["messageId"])
            continue
        try:
            _engine().run_step(message, owner=f"{context.aws_request_id}/{number}")
        except Exception:  # only this message is redelivered
            logger.exception("step run failed", extra={"instance_id": message.instance_id})
            failed.append(record["messageId"])
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


@logger.inject_lambda_context(log_event=False)  # never: an event holds addresses or credentials
@metrics.log_metrics
def cleanup(_: dict[str, Any], __: LambdaContext) -> None:
    """Remove what interrupted binds and unbinds left, and resume operations that stalled."""
    metrics.add_metric(name="CleanupRuns", unit=MetricUnit.Count, value=1)
    _cleanup().run(now=clock())


def _request(event: dict[str, Any]) -> Request:
    body = event.get("body") or ""
    method, path = _method_and_path(event)
    return Request(
        method=method,
        path=path,
        query=event.get("queryStringParameters") or {},
        headers={name.lower(): value for name, value in (event.get("headers") or {}).items()},
        body=base64.b64decode(body) if event.get("isBase64Encoded") else body.encode("utf-8", "surrogatepass"),
    )


def _method_and_path(event: dict[str, Any]) -> tuple[str, str]:
    """Of an HTTP API's event (payload 2.0, the stage in its path) or of a REST API's (payload 1.0, without)."""
    context = event["requestContext"]
    if "http" not in context:
        return event["httpMethod"], event["path"]
    path: str = event["rawPath"]
    return context["http"]["method"], path.removeprefix(f"/{context['stage']}")


def _written(answer: Response) -> dict[str, Any]:
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store", **answer.headers}
    return {"statusCode": answer.status, "headers": headers, "body": json.dumps(answer.body)}


@cache
def _composition() -> Composition:
    return compose(BrokerSettings.from_environment(), LazyClients(CLIENTS), clock=clock)


@cache
def _observability() -> Observability:
    return Observability(logger, metrics)


@cache
def _api() -> Api:
    return _composition().api(_observability().answered)


@cache
def _engine() -> Engine:
    return _composition().engine(_observability().operation)


@cache
def _cleanup() -> Cleanup:
    return _composition().cleanup(_observability().cleaned_up, _observability().operations_waiting)
