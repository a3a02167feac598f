"""A small HTTP/1.1 server on asyncio's protocols: several times quicker than a framework, so that it measures others.

Understands what the clients under measurement send: kept-alive requests with a Content-Length, one at a time.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

END_OF_HEAD = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Request:
    """A request; header names are in lower case. *size* is that of all of it, in bytes."""

    method: str
    path: str
    headers: dict[bytes, bytes]
    body: bytes
    size: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered, after *delay* seconds; a delay of None: never."""

    body: bytes = b"{}"
    status: HTTPStatus = HTTPStatus.OK
    delay: float | None = 0.0
    content_type: str = "application/json"

    def encoded(self) -> bytes:
        """The response's bytes."""
        head = f"HTTP/1.1 {self.status.value} {self.status.phrase}\r\ncontent-type: {self.content_type}\r\n"
        return f"{head}content-length: {len(self.body)}\r\n\r\n".encode() + self.body


def as_json(content: Any, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    """An answer with a JSON body."""
    return Answer(body=json.dumps(content).encode(), status=status)


class HttpProtocol(asyncio.Protocol):
    """Answers each request of a connection by a function."""

    def __init__(self, answer: Callable[[Request], Answer]) -> None:
        self._answer = answer
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, _error: Exception | None) -> None:
        """Forget the way back: an answer that is still to come goes nowhere."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._received += data
        while (request := self._next()) is not None:
            self._reply(self._answer(request))

    def _next(self) -> Request | None:
        head, found, rest = self._received.partition(END_OF_HEAD)
        if not found:
            return None
        first, *lines = head.split(b"\r\n")
        pairs = (line.partition(b":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        length = int(headers.get(b"content-length", 0))
        if len(rest) < length:
            return None
        self._received = rest[length:]
        method, path, _ = first.decode().split(" ", 2)
        return Request(method, path, headers, rest[:length], size=len(head) + len(END_OF_HEAD) + length)

    def _reply(self, answer: Answer) -> None:
        match answer.delay:
            case None:
                return
            case 0.0:
                self._write(answer)
            case delay:
                asyncio.get_running_loop().call_later(delay, self._write, answer)

    def _write(self, answer: Answer) -> None:
        if self._transport is not None:
            self._transport.write(answer.encoded())
