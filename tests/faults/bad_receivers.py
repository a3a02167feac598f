"""Receivers on 127.0.0.1 that are good or bad, each in its own way, in a thread of their own."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from http import HTTPStatus
from typing import Self

from benchmarks.raw_http import Answer, HttpProtocol, Request

HOST = "127.0.0.1"
SLOW = 9.9  # s until a slow one answers 204: its attempts succeed


class Scenario(StrEnum):
    """How a receiver behaves."""

    GOOD = "good"
    HANG = "hang"  # never answers
    SLOW = "slow"  # answers 204 after SLOW
    TLS = "tls"  # answers what is no TLS
    HTTP = "http"  # answers what is no HTTP
    REFUSED = "refused"  # nothing listens


BAD = tuple(scenario for scenario in Scenario if scenario is not Scenario.GOOD)
_DELAYS = {Scenario.GOOD: 0.0, Scenario.HANG: None, Scenario.SLOW: SLOW}


class Receivers:
    """A context manager. `arrived` tells when each mail's event first arrived at a good receiver (Unix time)."""

    def __init__(self) -> None:
        self.arrived: dict[str, float] = {}
        self._ports: dict[Scenario, int] = {}
        self._loop = asyncio.new_event_loop()
        self._closed = socket.socket()
        self._connections: set[asyncio.Transport] = set()

    def __enter__(self) -> Self:
        self._closed.bind((HOST, 0))  # and never listens
        self._ports[Scenario.REFUSED] = self._closed.getsockname()[1]
        self._loop.run_until_complete(self._listen())
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._closed.close()

    def url(self, scenario: Scenario) -> str:
        """The URL of a webhook that behaves so."""
        scheme = "https" if scenario is Scenario.TLS else "http"
        return f"{scheme}://{HOST}:{self._ports[scenario]}/"

    def hang_up(self) -> None:
        """Close all connections, so that requests that wait for an answer end."""
        self._loop.call_soon_threadsafe(self._abort)

    def _abort(self) -> None:
        for transport in self._connections:
            transport.abort()

    async def _listen(self) -> None:
        for scenario, delay in _DELAYS.items():
            await self._serve(scenario, partial(_Http, self._connections, partial(self._answer, scenario, delay)))
        for scenario in (Scenario.TLS, Scenario.HTTP):
            await self._serve(scenario, _Garbage)

    async def _serve(self, scenario: Scenario, protocol: Callable[[], asyncio.Protocol]) -> None:
        server = await self._loop.create_server(protocol, HOST, 0, backlog=512)
        self._ports[scenario] = server.sockets[0].getsockname()[1]

    def _answer(self, scenario: Scenario, delay: float | None, request: Request) -> Answer:
        if scenario is Scenario.GOOD:
            self.arrived.setdefault(json.loads(request.body)["data"]["message_id"], time.time())
        return Answer(body=b"", status=HTTPStatus.NO_CONTENT, delay=delay)


class _Http(HttpProtocol):
    """Notes its connection among *connections* while it is open."""

    def __init__(self, connections: set[asyncio.Transport], answer: Callable[[Request], Answer]) -> None:
        super().__init__(answer)
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note it."""
        super().connection_made(transport)
        assert isinstance(transport, asyncio.Transport)
        self._connections.add(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Forget it."""
        if self._transport:
            self._connections.discard(self._transport)
        super().connection_lost(error)


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
