"""Webhook HTTP client on libcurl. Connects only to addresses that passed the address rules.

libcurl never looks a name up: each transfer carries the addresses that were looked up and checked before it, and every
socket is checked once more as it is made, which also covers URLs that name an address. TLS keeps the URL's name.
Nothing else opens a socket: no proxy, no redirect, no unix socket, no protocol but https (and http where the operator
allows it). docs/decisions/0401-transport.md has the figures for the choice.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from functools import lru_cache

import pycurl

from lambdas.delivery.endpoint import Endpoint, read_url
from lambdas.delivery.handshakes import Handshakes
from lambdas.delivery.name_resolver import NameResolver, Unreachable
from lambdas.delivery.transfer import KEEP_ALIVE, Transfer
from lambdas.domain.webhooks.address_rules import AddressRules, BadUrl
from lambdas.domain.webhooks.attempt import NoResponse, Response

DEADLINE = 15.0  # s for an attempt, connect to last byte: Standard Webhooks asks for 15 to 30
BODY_DEADLINE = 3.0  # s for the body: the status is already known, and decides
_URLS_KEPT = 4_096  # URLs that need not be read again, and hosts that are known to answer


class WebhookClient:
    """Posts over kept-alive connections. One client for a process; it belongs to the first event loop it runs in.

    *ca_file* is a PEM file with the certificate authorities to trust. *connections* bounds open connections, idle ones
    included; callers must not run more attempts at a time than that.
    """

    def __init__(
        self,
        rules: AddressRules,
        resolver: NameResolver,
        ca_file: str,
        *,
        connections: int,
        body_deadline: float = BODY_DEADLINE,
    ) -> None:
        self._rules = rules
        self._read_url = lru_cache(_URLS_KEPT)(lambda url: read_url(url, rules))
        self._resolver = resolver
        self._ca_file = ca_file
        self._body_deadline = body_deadline
        self._multi = pycurl.AsyncCurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, connections)
        self._multi.setopt(pycurl.M_MAX_TOTAL_CONNECTIONS, connections)
        self._unused: list[Transfer] = []
        self._handshakes = Handshakes()
        self._answered: dict[tuple[str, int], float] = {}  # when a host last did: a connection of its is kept since

    async def locate(self, instance_id: str, url: str) -> Endpoint:
        """Read *url* by the rules of a bind and look its host up. Raises Unreachable if it cannot be posted to.

        Waits while other look-ups of the service instance are under way; callers bound that.
        """
        try:
            endpoint = self._read_url(url)
        except BadUrl as error:
            raise Unreachable(str(error)) from None
        addresses = await self._resolver.resolve(instance_id, endpoint.host)
        return replace(endpoint, addresses=addresses)

    def turn(self, endpoint: Endpoint) -> AbstractAsyncContextManager[None]:
        """Wait until an attempt may begin: at once if the host answered lately, so that a connection is kept."""
        answered = self._answered.get((endpoint.host, endpoint.port))
        if answered is not None and asyncio.get_running_loop().time() < answered + KEEP_ALIVE:
            return nullcontext()
        return self._handshakes.turn()

    async def post(
        self, endpoint: Endpoint, headers: Mapping[str, str], body: bytes, *, deadline: float = DEADLINE
    ) -> Response | NoResponse:
        """Post *body* within *deadline*, s. Never raises for what the receiver does.

        If the receiver closed a kept connection without an answer, libcurl sends the request again over a new one.
        Raises ValueError if a header holds a line break.
        """
        transfer = self._unused.pop() if self._unused else Transfer(self._rules, self._ca_file)
        transfer.prepare(endpoint.url, endpoint.pinned, headers, body, deadline=deadline)
        future = self._multi.add_handle(transfer.curl)
        transfer.cut_body(future, after=self._body_deadline)
        failure = None
        try:
            await future
        except pycurl.error as error:
            failure = error
        except asyncio.CancelledError:
            if not transfer.body_cut:
                raise
            return transfer.outcome(None)  # and not used again: libcurl lets go of it later in this loop's turn
        outcome = transfer.outcome(failure)
        if isinstance(outcome, Response):
            self._note_answer(endpoint)
        transfer.clear()
        self._unused.append(transfer)
        return outcome

    def _note_answer(self, endpoint: Endpoint) -> None:
        if len(self._answered) >= _URLS_KEPT:
            self._answered.clear()
        self._answered[endpoint.host, endpoint.port] = asyncio.get_running_loop().time()

    async def aclose(self) -> None:
        """Close all connections; attempts under way are cancelled."""
        await self._multi.aclose()
        self._resolver.close()
