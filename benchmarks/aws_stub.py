"""`python -m benchmarks.aws_stub`: an AWS that answers at once and counts, so that only our own cost shows.

Speaks as much of SQS, DynamoDB, KMS and SNS as the pipeline needs, on 127.0.0.1 and in a process of its own. The first
line of stdout tells its port; it ends when stdin does.
"""

import asyncio
import base64
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import parse_qs

from benchmarks.raw_http import Answer, HttpProtocol, Request, as_json
from benchmarks.stub_tables import Item, Tables, blocks

HOST = "127.0.0.1"
CONTROL = "/_stub/"
SQS_REQUEST = 64 * 1024  # bytes that SQS bills as one request
PREFIX = b"ciphertext:"  # what this KMS puts before a plaintext
USERNAME, PASSWORD = "operator", "password"  # what its Secrets Manager answers for any secret
_SERVICES = {
    "DynamoDB_20120810": "dynamodb",
    "AmazonSQS": "sqs",
    "TrentService": "kms",
    "secretsmanager": "secretsmanager",
}


class Stub:
    """All state and counters. What it does not know it answers by an empty object, and counts."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._latency = 0.0
        self._queues: dict[str, list[tuple[float, str]]] = defaultdict(list)
        self._tables = Tables(self.counts)
        self._operations: Mapping[str, Callable[[Item], Item]] = {
            **self._tables.operations,
            "SendMessage": self._send,
            "SendMessageBatch": self._send_batch,
            "Encrypt": _encrypt,
            "Decrypt": _decrypt,
            "GetSecretValue": _secret,
        }

    def answer(self, request: Request) -> Answer:
        """Answer an AWS call, or one of the stub's own below /_stub/."""
        if request.path.startswith(CONTROL):
            return as_json(self._control(request.path.removeprefix(CONTROL), json.loads(request.body or b"{}")))
        service, _, operation = request.headers.get(b"x-amz-target", b"").decode().partition(".")
        if not operation:
            return self._sns(request)
        self.counts[f"{_SERVICES.get(service, service)}.{operation}"] += 1
        carry_out = self._operations.get(operation)
        answer = as_json(carry_out(json.loads(request.body)) if carry_out else {})
        return replace(answer, delay=self._latency)

    def _sns(self, request: Request) -> Answer:
        action = parse_qs(request.body.decode()).get("Action", ["unknown"])[0]
        self.counts[f"sns.{action}"] += 1
        xml = f"<{action}Response><{action}Result><MessageId>0</MessageId></{action}Result></{action}Response>"
        return Answer(body=xml.encode(), content_type="text/xml")

    def _control(self, verb: str, asked: dict[str, Any]) -> object:
        match verb:
            case "counts":
                return dict(self.counts)
            case "reset":
                self.counts.clear()
                self._queues.clear()
            case "seed":
                self._tables.seed(asked["table"], asked["items"])
            case "behave":
                self._latency = asked["latency"]
            case "fill":
                self._queues[asked["queue"]].extend((0.0, body) for body in asked["bodies"])
            case "begin":  # count anew, with what is in the queues *keep*
                self.counts.clear()
                self._queues = defaultdict(list, {name: self._queues[name] for name in asked["keep"]})
            case "waiting":
                return sum(len(self._queues[name]) for name in asked["queues"])
            case "receive":
                return self._receive(asked["queue"], asked["limit"])
        return {}

    def _receive(self, queue: str, limit: int) -> list[str]:
        now = time.monotonic()
        taken: list[str] = []
        left = []
        for due, body in self._queues[queue]:
            if due <= now and len(taken) < limit:
                taken.append(body)
            else:
                left.append((due, body))
        self._queues[queue] = left
        return taken

    def _send(self, call: Item) -> Item:
        self._enqueue(call["QueueUrl"], [call])
        return {"MessageId": "0", "MD5OfMessageBody": "0"}

    def _send_batch(self, call: Item) -> Item:
        self._enqueue(call["QueueUrl"], call["Entries"])
        sent = [{"Id": entry["Id"], "MessageId": entry["Id"], "MD5OfMessageBody": "0"} for entry in call["Entries"]]
        return {"Successful": sent, "Failed": []}

    def _enqueue(self, url: str, entries: Iterable[Item]) -> None:
        now, size = time.monotonic(), 0
        for entry in entries:
            delay = entry.get("DelaySeconds", 0)
            self._queues[url.rpartition("/")[2]].append((now + delay, entry["MessageBody"]))
            self.counts["sqs.messages"] += 1
            self.counts["sqs.delayed_messages"] += bool(delay)
            size += len(entry["MessageBody"])
        self.counts["sqs.requests"] += blocks(size, SQS_REQUEST)


def ciphertext(plaintext: bytes) -> bytes:
    """What this KMS makes of *plaintext*."""
    return PREFIX + plaintext


def _encrypt(call: Item) -> Item:
    return {"CiphertextBlob": _base64(ciphertext(base64.b64decode(call["Plaintext"]))), "KeyId": call["KeyId"]}


def _decrypt(call: Item) -> Item:
    return {"Plaintext": _base64(base64.b64decode(call["CiphertextBlob"]).removeprefix(PREFIX)), "KeyId": "key"}


def _secret(call: Item) -> Item:
    credentials = {"username": USERNAME, "password": PASSWORD}
    return {"ARN": call["SecretId"], "Name": call["SecretId"], "SecretString": json.dumps(credentials)}


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


async def serve() -> None:
    """Serve until stdin ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(partial(HttpProtocol, Stub().answer), HOST, 0)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve())
