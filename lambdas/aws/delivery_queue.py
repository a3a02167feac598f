"""The deliveries queue: batches of deliveries, one webhook a message, the webhook as message group."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from lambdas.domain.delivery import DeliveryBatch

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

_ENTRIES = 4  # of up to MAX_BYTES each in one call of SQS's 1 MiB
_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(DeliveryBatch)


class QueueRefused(Exception):
    """SQS took only a part of what was sent; sending it all again is safe, ids come from content."""


class DeliveryQueue:
    """Sends delivery batches. A message group per webhook keeps one tenant's flood from delaying the others."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def send(self, batches: Iterable[DeliveryBatch], *, delay: int = 0) -> None:
        """Send *batches*, each hidden for *delay* seconds (0 to 900). Raises QueueRefused when SQS refuses any."""
        remaining = iter(batches)
        while chunk := list(islice(remaining, _ENTRIES)):
            self._send(chunk, delay)

    def _send(self, chunk: Sequence[DeliveryBatch], delay: int) -> None:
        answer = self._client.send_message_batch(
            QueueUrl=self._url,
            Entries=[
                {
                    "Id": str(number),
                    "MessageBody": encode(batch),
                    "DelaySeconds": delay,
                    "MessageGroupId": batch.webhook_id,
                }
                for number, batch in enumerate(chunk)
            ],
        )
        if failed := answer.get("Failed"):
            raise QueueRefused(", ".join(sorted({entry["Code"] for entry in failed})))


def encode(batch: DeliveryBatch) -> str:
    """The message body of *batch*."""
    return _encode(batch).decode()


def decode(body: str | bytes) -> DeliveryBatch:
    """The batch in a message body; msgspec.DecodeError when it is none."""
    return _decoder.decode(body)
