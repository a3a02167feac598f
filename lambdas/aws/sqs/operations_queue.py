"""The operations queue: which instance's operation the worker is to move on."""

from typing import TYPE_CHECKING

import msgspec

from lambdas.domain.tenants.operation_task import OperationTask

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

MAX_DELAY = 900  # s: SQS's


_decoder = msgspec.json.Decoder(OperationTask)


class OperationsQueue:
    """Sends the worker its turns."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def send(self, message: OperationTask, *, delay: float = 0) -> None:
        """Send a turn, *delay* seconds from now (up to MAX_DELAY)."""
        self._client.send_message(
            QueueUrl=self._url,
            MessageBody=msgspec.json.encode(message).decode(),
            DelaySeconds=max(0, min(MAX_DELAY, round(delay))),
        )


def decode(body: str | bytes) -> OperationTask:
    """The turn in a message body; msgspec.DecodeError when it is none."""
    return _decoder.decode(body)
