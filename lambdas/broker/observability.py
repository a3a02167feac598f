"""Logs and metrics of the broker: one line with all facts for each outcome. Never an address or a secret."""

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from lambdas.broker.osb.api import ORIGINATING_IDENTITY, REQUEST_IDENTITY, originating_user
from lambdas.broker.osb.errors import BrokerError
from lambdas.broker.osb.requests import Request, Response
from lambdas.domain.tenants.instance import Instance, OperationState

FAULT = 500
MAX_LOGGED = 200  # characters of a platform's text in a log line


class Observability:
    """Logs and counts."""

    def __init__(self, logger: Logger, metrics: Metrics) -> None:
        self._logger = logger
        self._metrics = metrics

    def answered(self, request: Request, answer: Response, error: Exception | None) -> None:
        """Log and count an answered request."""
        fields = {
            "method": request.method,
            "path": request.path[:MAX_LOGGED],
            "instance_id": instance_in(request.path),
            "status": answer.status,
            "request_identity": request.headers.get(REQUEST_IDENTITY, "")[:MAX_LOGGED],
            "originator": originating_user(request.headers.get(ORIGINATING_IDENTITY, "")),
        }
        if error is not None:
            fields["error"] = error.code if isinstance(error, BrokerError) else type(error).__name__
        if answer.status >= FAULT:
            self._logger.error("request failed", extra=fields, exc_info=error)
            self._count("BrokerFaults")
            return
        self._logger.info("request answered", extra=fields)
        self._count("BrokerRefusals" if error else "BrokerAnswers")

    def operation(self, what: str, instance: Instance, error: Exception | None = None) -> None:
        """Log and count what happened to an instance's operation."""
        operation = instance.operation
        fields = {
            "instance_id": instance.id,
            "operation": operation.id,
            "phase": operation.phase.value,
            "step": operation.step,
            "failures": operation.failures,
            "state": operation.state.value,
        }
        if error is not None:
            self._logger.warning(what, extra=fields, exc_info=error)
            self._count("OperationStepFailures")
            return
        self._logger.info(what, extra=fields)
        if operation.state is not OperationState.IN_PROGRESS:
            self._count(f"Operations{operation.state.value.capitalize()}")
            self._seconds("OperationSeconds", (operation.touched_at - operation.started_at).total_seconds())

    def operations_waiting(self, number: int, oldest: float) -> None:
        """So many operations have not ended; the oldest of them started *oldest* s ago."""
        self._metrics.add_metric(name="OperationsWaiting", unit=MetricUnit.Count, value=number)
        self._seconds("OperationsOldestSeconds", oldest)

    def cleaned_up(self, what: str, id_: str, error: Exception | None = None) -> None:
        """Log and count what cleanup did."""
        if error is not None:
            self._logger.error(what, extra={"id": id_}, exc_info=error)
            self._count("CleanupFailures")
            return
        self._logger.info(what, extra={"id": id_})
        self._count("CleanedUp")

    def _seconds(self, name: str, value: float) -> None:
        self._metrics.add_metric(name=name, unit=MetricUnit.Seconds, value=max(0.0, value))

    def _count(self, name: str) -> None:
        self._metrics.add_metric(name=name, unit=MetricUnit.Count, value=1)


def instance_in(path: str) -> str | None:
    """The service instance that an OSB path names: `/v2/service_instances/<id>/...`; None if it names none."""
    match path.split("/"):
        case ["", "v2", "service_instances", instance_id, *_] if instance_id:
            return instance_id[:MAX_LOGGED]
    return None
