"""Receivers on real sockets, each misbehaving in its own way, and a way to post to them."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx
import trustme

from lambdas.delivery.courier import Courier
from lambdas.delivery.transport import CheckedResolver, transport
from lambdas.domain.address import AddressRules

NAME = "hooks.example"
LOCAL = "127.0.0.1"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Receiver:
    """A receiver that listens: its port, and what it got."""

    port: int = 0
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)

    def url(self, host: str = NAME, path: str = "/", *, scheme: str = "https") -> httpx.URL:
        """The URL of the receiver under *host*."""
        return httpx.URL(f"{scheme}://{host}:{self.port}{path}")


@cache
def authority() -> trustme.CA:
    """The authority that our context trusts."""
    return trustme.CA()


def server_tls(*names: str, ca: trustme.CA | None = None) -> ssl.SSLContext:
    """A server's TLS with a certificate for *names*."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (ca or authority()).issue_cert(*(names or (NAME,))).configure_cert(context)
    return context


def client_tls() -> ssl.SSLContext:
    """A client's TLS that trusts the authority."""
    context = ssl.create_default_context()
    authority().configure_trust(context)
    return context


@asynccontextmanager
async def receiver(*answers: bytes | Behaviour, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """A receiver that gives *answers* in turn, the last one again and again, on as many connections as come."""
    state = Receiver()
    script = list(answers) or [OK]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        state.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            while request := await _request(reader):
                state.requests.append(request)
                answer = script.pop(0) if len(script) > 1 else script[0]
                if isinstance(answer, bytes):
                    writer.write(answer)
                    await writer.drain()
                else:
                    await answer(reader, writer)
                    break
        writer.transport.abort()

    tasks: set[asyncio.Task[None]] = set()

    async def track(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        tasks.add(task)
        try:
            await serve(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            tasks.discard(task)

    server = await asyncio.start_server(track, LOCAL, 0, ssl=tls)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
        await asyncio.sleep(0)


async def _request(reader: asyncio.StreamReader) -> bytes:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"content-length:" in line), 0)
    return head + await reader.readexactly(length)


class Names(CheckedResolver):
    """A name server that gives its answers in turn, the last one again and again."""

    def __init__(self, rules: AddressRules, *answers: Sequence[str]) -> None:
        super().__init__(rules)
        self.answers = list(answers) or [(LOCAL,)]
        self.asked: list[str] = []

    def look_up(self, host: str, port: int, family: int, kind: int) -> list[Any]:  # type: ignore[override]
        """The next answer."""
        self.asked.append(host)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [found for address in answer for found in CheckedResolver.look_up(address, port, 0, kind)]


@asynccontextmanager
async def courier(
    *,
    rules: AddressRules | None = None,
    names: Names | None = None,
    deadline: float = 5.0,
    body_deadline: float = 5.0,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Courier]:
    """A courier that may reach this machine, and resolves every name to it unless *names* says otherwise."""
    rules = rules or AddressRules.parse("127.0.0.1/32", allow_http=True)
    names = names or Names(rules)
    way = transport(rules, tls or client_tls(), names)
    try:
        yield Courier(way, deadline=deadline, body_deadline=body_deadline)
    finally:
        await way.aclose()
        await names.close()
        await asyncio.sleep(0)
