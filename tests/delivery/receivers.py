"""Receivers on real sockets, each misbehaving in its own way, and a way to post to them."""

import asyncio
import atexit
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import trustme

from lambdas.delivery.name_resolver import NameResolver, Unreachable
from lambdas.delivery.webhook_client import WebhookClient
from lambdas.domain.webhooks.address_rules import AddressRules
from lambdas.domain.webhooks.attempt import NoResponse, Response

NAME = "hooks.example"
LOCAL = "127.0.0.1"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Receiver:
    """A receiver that listens: its port, how many TCP connections it accepted, and the requests it got."""

    port: int = 0
    connections: int = 0
    closed: int = 0
    requests: list[bytes] = field(default_factory=list)

    def url(self, host: str = NAME, path: str = "/", *, scheme: str = "https") -> str:
        """The URL of the receiver under *host*."""
        return f"{scheme}://{host}:{self.port}{path}"


@cache
def authority() -> trustme.CA:
    """The authority that our context trusts."""
    return trustme.CA()


def server_tls(*names: str, ca: trustme.CA | None = None) -> ssl.SSLContext:
    """A server's TLS with a certificate for *names*."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (ca or authority()).issue_cert(*(names or (NAME,))).configure_cert(context)
    return context


@cache
def ca_file() -> str:
    """A PEM file with the authority."""
    with tempfile.NamedTemporaryFile(prefix="ses-feedback-authority-", suffix=".pem", delete=False) as file:
        file.write(authority().cert_pem.bytes())
    atexit.register(Path(file.name).unlink)
    return file.name


@asynccontextmanager
async def receiver(*answers: bytes | Behaviour, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """A receiver that gives *answers* in turn, the last one again and again, on as many connections as come."""
    state = Receiver()
    script = list(answers) or [OK]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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
        state.connections += 1
        try:
            if tls:
                await writer.start_tls(tls)
            await serve(reader, writer)
        except (OSError, ssl.SSLError):
            writer.transport.abort()
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            state.closed += 1
            tasks.discard(task)

    server = await asyncio.start_server(track, LOCAL, 0)
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


class Names:
    """A name server that gives its answers in turn, the last one again and again; it notes what it was asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers) or [(LOCAL,)]
        self.asked: list[str] = []

    def __call__(self, host: str) -> list[str]:
        """The next answer; what looks like an address to the system is one."""
        self.asked.append(host)
        with suppress(OSError):
            return [socket.inet_ntoa(socket.inet_aton(host))]  # 127.1, 2130706433
        return list(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])


@dataclass
class Poster:
    """A webhook client as delivery uses it."""

    client: WebhookClient
    deadline: float

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Response | NoResponse:
        """Post *body* to *url*."""
        try:
            endpoint = await self.client.locate("i1", url)
        except Unreachable as refusal:
            return NoResponse(reason=str(refusal))
        return await self.client.post(endpoint, headers, body, deadline=self.deadline)


@asynccontextmanager
async def poster(
    *,
    rules: AddressRules | None = None,
    names: Names | None = None,
    deadline: float = 5.0,
    body_deadline: float = 5.0,
    ca: str | None = None,
) -> AsyncIterator[Poster]:
    """A client that may reach this machine, and resolves every name to it unless *names* says otherwise."""
    rules = rules or AddressRules.parse("127.0.0.1/32", allow_http=True)
    resolver = NameResolver(rules, names or Names())
    client = WebhookClient(rules, resolver, ca or ca_file(), connections=100, body_deadline=body_deadline)
    try:
        yield Poster(client, deadline)
    finally:
        await client.aclose()
        await asyncio.sleep(0)
