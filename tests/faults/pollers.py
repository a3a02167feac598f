"""Event source mappings of SQS as Lambda serves them: with batching windows, full batches and a concurrency limit.

The embedded AWS takes at most ten messages at a time and waits for no window, so that a function runs for almost every
message. Here its mappings are disabled, and threads of this process receive, invoke and delete by public calls.
"""

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.clients import Clients

POLLERS = 5  # of a queue: with how many Lambda begins
_AT_ONCE = 10  # messages of one receive or delete
_LONG_POLL = 1  # s
_READ_TIMEOUT = 60.0  # s until the threads must have ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An event source mapping: what of which queue goes to which function."""

    uuid: str
    queue_arn: str
    queue_url: str
    function: str
    batch: int
    window: float
    slots: threading.Semaphore


@dataclass(slots=True)
class Pollers:
    """Threads that poll, and those that wait for an invocation to end."""

    clients: Clients
    stopped: threading.Event = field(default_factory=threading.Event)

    def poll(self, source: Source) -> None:
        """Gather batches and have them processed until stopped. What fails comes back when its visibility ends."""
        while not self.stopped.is_set():
            with suppress(ClientError, BotoCoreError):
                if messages := self._gather(source):
                    source.slots.acquire()
                    threading.Thread(target=self._process, args=(source, messages), daemon=True).start()

    def _gather(self, source: Source) -> list[dict[str, Any]]:
        """The messages of a window, which begins with the first."""
        messages = self._receive(source, wait=_LONG_POLL)
        if not messages:
            return []
        if len(messages) < source.batch:
            time.sleep(source.window)
        while len(messages) < source.batch and (more := self._receive(source)):
            messages += more
        return messages

    def _receive(self, source: Source, *, wait: int = 0) -> list[dict[str, Any]]:
        answer = self.clients.client("sqs").receive_message(
            QueueUrl=source.queue_url, MaxNumberOfMessages=_AT_ONCE, WaitTimeSeconds=wait, AttributeNames=["All"]
        )
        found: list[dict[str, Any]] = answer.get("Messages", [])
        return found

    def _process(self, source: Source, messages: Sequence[Mapping[str, Any]]) -> None:
        """Invoke the function, and delete what it did not report as failed."""
        try:
            with suppress(ClientError, BotoCoreError):
                self._invoke(source, messages)
        finally:
            source.slots.release()

    def _invoke(self, source: Source, messages: Sequence[Mapping[str, Any]]) -> None:
        records = [_record(source, message) for message in messages]
        answer = self.clients.client("lambda").invoke(
            FunctionName=source.function, Payload=json.dumps({"Records": records})
        )
        if "FunctionError" not in answer:
            failures = (json.load(answer["Payload"]) or {}).get("batchItemFailures", [])
            failed = {failure["itemIdentifier"] for failure in failures}
            self._delete(source, [each for each in messages if each["MessageId"] not in failed])

    def _delete(self, source: Source, messages: Sequence[Mapping[str, Any]]) -> None:
        for start in range(0, len(messages), _AT_ONCE):
            entries = [
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(messages[start : start + _AT_ONCE])
            ]
            self.clients.client("sqs").delete_message_batch(QueueUrl=source.queue_url, Entries=entries)


@contextmanager
def polling(clients: Clients) -> Iterator[None]:
    """Serve all event source mappings of SQS queues; the embedded AWS serves them again afterwards."""
    sources = list(_sources(clients))
    pollers = Pollers(clients)
    clients.client("sqs"), clients.client("lambda")  # made before the threads share them
    threads = [threading.Thread(target=pollers.poll, args=(one,), daemon=True) for one in sources * POLLERS]
    for source in sources:
        clients.client("lambda").update_event_source_mapping(UUID=source.uuid, Enabled=False)
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        pollers.stopped.set()
        for thread in threads:
            thread.join(_READ_TIMEOUT)
        for source in sources:
            clients.client("lambda").update_event_source_mapping(UUID=source.uuid, Enabled=True)


def _sources(clients: Clients) -> Iterator[Source]:
    for mapping in clients.client("lambda").list_event_source_mappings()["EventSourceMappings"]:
        arn = mapping["EventSourceArn"]
        if ":sqs:" not in arn:
            continue
        name = arn.rpartition(":")[2]
        yield Source(
            uuid=mapping["UUID"],
            queue_arn=arn,
            queue_url=clients.client("sqs").get_queue_url(QueueName=name)["QueueUrl"],
            function=mapping["FunctionArn"],
            batch=mapping["BatchSize"],
            window=mapping.get("MaximumBatchingWindowInSeconds", 0),
            slots=threading.Semaphore(mapping.get("ScalingConfig", {}).get("MaximumConcurrency", 1_000)),
        )


def _record(source: Source, message: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {},
        "md5OfBody": message.get("MD5OfBody", ""),
        "eventSource": "aws:sqs",
        "eventSourceARN": source.queue_arn,
        "awsRegion": source.queue_arn.split(":")[3],
    }
