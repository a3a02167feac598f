"""The way out: httpx over aiohttp's connections, to addresses that were checked, and to no others.

A name is resolved once for a connection, every answer is checked, and the socket goes to an address of that answer:
what the name says a moment later does not matter. The socket is checked again just before it connects, which covers
URLs that name an address. TLS keeps the URL's name. Proxies of the environment are ignored.
docs/decisions/0401-transport.md has the figures for the choice.
"""

import asyncio
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any

import aiohttp
import certifi
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from httpx_aiohttp import AiohttpTransport

from lambdas.domain.address import AddressRules

MAX_CONNECTIONS = 800  # Lambda allows 1,024 open files
KEEP_ALIVE = 60.0  # s: most servers close an idle connection after 60 to 75
DNS_KEPT = 10  # s: a receiver that moves is followed soon, a busy one is not looked up for every connection
RESOLVERS = 64  # threads: a name server that hangs holds one for seconds, and must not hold up the others' names
SSL_BUFFER = 16 * 1024  # bytes, a TLS record: asyncio's own 256 KB take 191 MB for 500 connections instead of 74

reused: ContextVar[bool] = ContextVar(
    "reused", default=False
)  # whether this task's request went over an old connection


class AddressNotAllowed(OSError):
    """A webhook's host is, also or only, at an address that must not be reached."""


class CheckedResolver(AbstractResolver):
    """The system's resolver; a name of which any answer is not allowed is refused as a whole."""

    def __init__(self, rules: AddressRules) -> None:
        self._rules = rules
        self._threads = ThreadPoolExecutor(RESOLVERS, thread_name_prefix="resolve")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of *host*. Raises AddressNotAllowed, socket.gaierror."""
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, self.look_up, host, port, family, socket.SOCK_STREAM
        )
        addresses = [(kind, str(sockaddr[0])) for kind, _, _, _, sockaddr in found]
        if not all(self._rules.admits(address) for _, address in addresses):
            raise AddressNotAllowed("address not allowed")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=kind,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for kind, address in addresses
        ]

    async def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    @staticmethod
    def look_up(host: str, port: int, family: int, kind: int) -> list[Any]:
        """Ask the system. Apart, so that a test can answer differently the second time."""
        return socket.getaddrinfo(host, port, family, kind)


def tls_context(private_ca_file: str = "") -> ssl.SSLContext:
    """The one TLS context of the process: public authorities, the operator's own beside them, TLS 1.2 or later."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if private_ca_file:
        context.load_verify_locations(cafile=private_ca_file)
    return context


def transport(
    rules: AddressRules, tls: ssl.SSLContext, resolver: CheckedResolver | None = None
) -> httpx.AsyncBaseTransport:
    """An httpx transport that reaches what *rules* admit."""
    _shrink_ssl_buffers()

    def session() -> aiohttp.ClientSession:
        tracing = aiohttp.TraceConfig()
        tracing.on_connection_reuseconn.append(_note_reuse)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=MAX_CONNECTIONS,
                keepalive_timeout=KEEP_ALIVE,
                ssl=tls,
                resolver=resolver or CheckedResolver(rules),
                ttl_dns_cache=DNS_KEPT,
                socket_factory=lambda info: _checked_socket(rules, info),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent"),
            timeout=aiohttp.ClientTimeout(total=None),
            trust_env=False,
            trace_configs=[tracing],
        )

    return AiohttpTransport(verify=tls, trust_env=False, client=session)


def _checked_socket(rules: AddressRules, info: Any) -> socket.socket:
    family, kind, protocol, _, address = info
    if not rules.admits(address[0]):
        raise AddressNotAllowed("address not allowed")
    return socket.socket(family, kind, protocol)


async def _note_reuse(*_: object) -> None:
    reused.set(True)


def _shrink_ssl_buffers() -> None:
    """Guarded: `max_size` is asyncio's own affair, and a later Python may have none."""
    from asyncio import sslproto

    protocol: Any = getattr(sslproto, "SSLProtocol", None)
    if isinstance(getattr(protocol, "max_size", None), int):
        protocol.max_size = SSL_BUFFER
