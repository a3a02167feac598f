"""Receivers on 127.0.0.1 that are good or bad, each in its own way, in a thread of their own."""

import asyncio
import json
import socket
import threading
import time
from functools import partial
from http import HTTPStatus
from typing import Self

from benchmarks.raw_http import Answer, HttpProtocol, Request

HOST = "127.0.0.1"
GOOD = "good"
FAULTS = ("hangs", "slow", "breaks TLS", "no HTTP", "refuses")
SLOW = 9.9  # s until a slow one answers 204
_ANSWERS = {GOOD: 0.0, "hangs": None, "slow": SLOW}


class Receivers:
    """A context manager. `arrived` tells when each mail's event first arrived at a good receiver (Unix time)."""

    def __init__(self) -> None:
        self.arrived: dict[str, float] = {}
        self._ports: dict[str, int] = {}
        self._loop = asyncio.new_event_loop()
        self._closed = socket.socket()

    def __enter__(self) -> Self:
        self._closed.bind((HOST, 0))  # and never listens
        self._ports["refuses"] = self._closed.getsockname()[1]
        self._loop.run_until_complete(self._listen())
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._closed.close()

    def url(self, fault: str) -> str:
        """The URL of a webhook with *fault*."""
        scheme = "https" if fault == "breaks TLS" else "http"
        return f"{scheme}://{HOST}:{self._ports[fault]}/"

    async def _listen(self) -> None:
        for name, delay in _ANSWERS.items():
            await self._serve(name, partial(HttpProtocol, partial(self._answer, name, delay)))
        for name in ("breaks TLS", "no HTTP"):
            await self._serve(name, _Garbage)

    async def _serve(self, name: str, protocol: type[asyncio.Protocol] | partial[HttpProtocol]) -> None:
        server = await self._loop.create_server(protocol, HOST, 0, backlog=512)
        self._ports[name] = server.sockets[0].getsockname()[1]

    def _answer(self, name: str, delay: float | None, request: Request) -> Answer:
        if name == GOOD:
            self.arrived.setdefault(json.loads(request.body)["data"]["message_id"], time.time())
        return Answer(body=b"", status=HTTPStatus.NO_CONTENT, delay=delay)


class _Garbage(asyncio.Protocol):
    """Answers whatever it hears with what is neither TLS nor HTTP."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, _data: bytes) -> None:
        """Say something else, and hang up."""
        self._transport.write(b"SSH-2.0-OpenSSH_9.6\r\n")
        self._transport.close()
