"""Posts one delivery and says what came of it, whatever the receiver does."""

import asyncio
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import suppress

import aiohttp
import httpx

from lambdas.delivery.transport import AddressNotAllowed, reused
from lambdas.domain.attempt import BODY_READ, TIMED_OUT, Answer, NoAnswer

DEADLINE = 15.0  # s for all of an attempt, name look-up to last byte: Standard Webhooks asks for 15 to 30
BODY_DEADLINE = 3.0  # s for the body: the status is already known, and decides
_CLOSING = 1.0  # s to let go of an answer that was not read to its end
_STALE = (aiohttp.ServerDisconnectedError, ConnectionResetError, BrokenPipeError)


class Courier:
    """Posts through an httpx transport, without httpx's client: the request is built here, and nothing is followed."""

    def __init__(
        self, transport: httpx.AsyncBaseTransport, *, deadline: float = DEADLINE, body_deadline: float = BODY_DEADLINE
    ) -> None:
        self._transport = transport
        self._deadline = deadline
        self._body_deadline = body_deadline

    async def post(self, url: httpx.URL, headers: Mapping[str, str], body: bytes) -> Answer | NoAnswer:
        """Post *body* within the deadline. Never raises for what the receiver, its name server or its network do."""
        try:
            async with asyncio.timeout(self._deadline):
                return await self._post(url, headers, body)
        except TimeoutError:
            return NoAnswer(reason=TIMED_OUT)
        except (httpx.HTTPError, aiohttp.ClientError, OSError, ValueError) as error:
            return NoAnswer(reason=why(error))

    async def _post(self, url: httpx.URL, headers: Mapping[str, str], body: bytes) -> Answer:
        """Post, once more if the receiver had closed a kept connection: it never saw the request then."""
        reused.set(False)
        try:
            return await self._once(url, headers, body)
        except (httpx.HTTPError, aiohttp.ClientError) as error:
            if not (reused.get() and any(isinstance(cause, _STALE) for cause in _causes(error))):
                raise
        return await self._once(url, headers, body)

    async def _once(self, url: httpx.URL, headers: Mapping[str, str], body: bytes) -> Answer:
        request = httpx.Request("POST", url, headers=headers, content=body)
        response = await self._transport.handle_async_request(request)
        try:
            read = await self._read(response)
        finally:
            with suppress(TimeoutError, httpx.HTTPError, aiohttp.ClientError):
                async with asyncio.timeout(_CLOSING):
                    await response.aclose()
        return Answer(status=response.status_code, retry_after=response.headers.get("retry-after"), body=read)

    async def _read(self, response: httpx.Response) -> bytes:
        """The body's first BODY_READ bytes. A body that stalls or breaks off is taken as far as it came."""
        body = bytearray()
        with suppress(TimeoutError, httpx.HTTPError, aiohttp.ClientError):
            async with asyncio.timeout(self._body_deadline):
                assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101  # the transport is asynchronous
                async for chunk in response.stream:
                    body += chunk
                    if len(body) >= BODY_READ:
                        break
        return bytes(body[:BODY_READ])


def why(error: BaseException) -> str:
    """Why there was no answer, in words for the tenant; never the URL, which may hold a password in its query."""
    for cause in reversed(list(_causes(error))):  # the root says most
        match cause:
            case AddressNotAllowed():
                return "address not allowed"
            case socket.gaierror():
                return "host not found"
            case ssl.SSLCertVerificationError(verify_message=str(message)):
                return f"certificate not accepted: {message}"
            case ssl.SSLError():
                return "TLS failed"
            case ConnectionRefusedError():
                return "connection refused"
            case ConnectionResetError() | BrokenPipeError() | aiohttp.ServerDisconnectedError():
                return "connection closed without an answer"
            case aiohttp.ClientResponseError() | aiohttp.ClientPayloadError():
                return "answer is not HTTP"
    return "connection failed"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
