"""The deliveries queue: batches of deliveries, one webhook per message, with the webhook as message group."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from lambdas.aws.sqs.versioned_json import VersionedJson
from lambdas.domain.webhooks.delivery import DeliveryBatch

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

MAX_DELAY = 900  # s: the longest that SQS delays a message
_MAX_ENTRIES = 10  # of one SendMessageBatch
_MAX_CALL = 1_000_000  # bytes of one SendMessageBatch: SQS takes 1 MiB, attributes included
_messages = VersionedJson(DeliveryBatch)


class QueueRefused(Exception):
    """SQS accepted only a part of the batch. Sending all of it again is safe: ids are derived from the content."""


class DeliveryQueue:
    """Sends delivery batches. One message group per webhook keeps one tenant's flood from delaying the others."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def send(self, batches: Iterable[DeliveryBatch], *, delay: int = 0) -> None:
        """Send *batches*, each hidden for *delay* seconds (0 to 900). Raises QueueRefused if SQS refuses any."""
        self.send_later((batch, delay) for batch in batches)

    def send_later(self, delayed: Iterable[tuple[DeliveryBatch, float]]) -> None:
        """Send batches, each hidden for its own delay, s (0 to 900). Raises QueueRefused if SQS refuses any."""
        for entries in _calls(_entry(batch, delay) for batch, delay in delayed):
            answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
            if failed := answer.get("Failed"):
                raise QueueRefused(", ".join(sorted({entry["Code"] for entry in failed})))


def encode(batch: DeliveryBatch) -> str:
    """The message body of *batch*."""
    return _messages.encode(batch)


def decode(body: str) -> DeliveryBatch:
    """The batch in a message body. Raises NewerSchema, and msgspec.DecodeError if it is malformed."""
    return _messages.decode(body)


def _entry(batch: DeliveryBatch, delay: float) -> "SendMessageBatchRequestEntryTypeDef":
    return {
        "Id": "0",
        "MessageBody": encode(batch),
        "DelaySeconds": max(0, min(MAX_DELAY, round(delay))),
        "MessageGroupId": batch.webhook_id,
    }


def _calls(
    entries: "Iterable[SendMessageBatchRequestEntryTypeDef]",
) -> "Iterator[list[SendMessageBatchRequestEntryTypeDef]]":
    """Pack entries into as few calls as SQS's limits allow, numbering them."""
    call: list[SendMessageBatchRequestEntryTypeDef] = []
    size = 0
    for entry in entries:
        length = len(entry["MessageBody"].encode()) + len(entry["MessageGroupId"])
        if call and (len(call) == _MAX_ENTRIES or size + length > _MAX_CALL):
            yield call
            call, size = [], 0
        call.append({**entry, "Id": str(len(call))})
        size += length
    if call:
        yield call
