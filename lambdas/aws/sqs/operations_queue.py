"""The operations queue: which instance's operation the worker is to move on."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

MAX_DELAY = 900  # s: SQS's


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationMessage:
    """One turn at an operation."""

    instance_id: str
    operation_id: str


_decoder = msgspec.json.Decoder(OperationMessage)


class OperationsQueue:
    """Sends the worker its turns."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def send(self, message: OperationMessage, *, delay: float = 0) -> None:
        """Send a turn, *delay* seconds from now (up to MAX_DELAY)."""
        self._client.send_message(
            QueueUrl=self._url,
            MessageBody=msgspec.json.encode(message).decode(),
            DelaySeconds=max(0, min(MAX_DELAY, round(delay))),
        )


def decode(body: str | bytes) -> OperationMessage:
    """The turn in a message body; msgspec.DecodeError when it is none."""
    return _decoder.decode(body)
