"""The portal's function: `handler` answers one request of the HTTP API (payload version 2.0)."""

from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.portal.app import FAULT, Portal
from lambdas.portal.composition import compose
from lambdas.portal.http import Response, request_of, written
from lambdas.portal.settings import PortalSettings

logger = Logger(service="portal")
metrics = Metrics(namespace="SesFeedback", service="portal")


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _: LambdaContext) -> dict[str, Any]:
    """Answer one request."""
    settings = _settings()
    request = request_of(event, public_url=settings.public_url)
    return written(_portal().answer(request, now=datetime.now(UTC)))


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
def _portal() -> Portal:
    return compose(_settings(), _log)
