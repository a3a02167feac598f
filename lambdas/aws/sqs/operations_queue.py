"""The operations queue: the instances whose operation the worker is to continue."""

from typing import TYPE_CHECKING

from lambdas.aws.sqs.versioned_json import VersionedJson
from lambdas.domain.tenants.operation_task import OperationTask

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

MAX_DELAY = 900  # s: SQS's
_messages = VersionedJson(OperationTask)


class OperationsQueue:
    """Sends tasks to the worker."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def send(self, message: OperationTask, *, delay: float = 0) -> None:
        """Send a task, hidden for *delay* seconds (up to MAX_DELAY)."""
        self._client.send_message(
            QueueUrl=self._url,
            MessageBody=_messages.encode(message),
            DelaySeconds=max(0, min(MAX_DELAY, round(delay))),
        )


def decode(body: str) -> OperationTask:
    """The task in a message body. Raises NewerSchema, and msgspec.DecodeError if it is malformed."""
    return _messages.decode(body)
