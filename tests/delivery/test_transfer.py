"""One request over libcurl without a network: what it may do, what it makes of an answer, and of none."""

import asyncio
import errno
import socket
from typing import Any

import pycurl
import pytest

from lambdas.delivery.transfer import KEEP_ALIVE, MAX_AGE, Transfer
from lambdas.domain.webhooks.address_rules import AddressRules
from lambdas.domain.webhooks.attempt import BODY_READ, NoResponse, Response

RULES = AddressRules.parse("127.0.0.0/8", allow_http=True)


class Curl:
    """Remembers its options."""

    def __init__(self) -> None:
        self.options: dict[int, Any] = {}
        self.unset: list[int] = []
        self.errno = 0

    def setopt(self, option: int, value: object) -> None:
        """Remember it."""
        self.options[option] = value

    def unsetopt(self, option: int) -> None:
        """Remember it."""
        self.unset.append(option)

    def getinfo(self, info: int) -> int:
        """The system's last error."""
        assert info == pycurl.OS_ERRNO
        return self.errno


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Transfer:
    """A transfer that is made of such a Curl."""
    monkeypatch.setattr(pycurl, "Curl", Curl)
    return Transfer(RULES, "/ca.pem")


def options(made: Transfer) -> dict[int, Any]:
    """Its options."""
    found: dict[int, Any] = made.curl.options  # type: ignore[attr-defined]
    return found


def test_a_transfer_may_post_to_the_pinned_addresses_and_nothing_else(made: Transfer) -> None:
    """No redirect, no proxy, no look-up, no password file, no protocol but HTTP; certificates are checked.

    docs/decisions/0401-transport.md has the reasons.
    """
    called_back = (
        pycurl.RESOLVER_START_FUNCTION,
        pycurl.OPENSOCKETFUNCTION,
        pycurl.HEADERFUNCTION,
        pycurl.WRITEFUNCTION,
    )
    assert {option: value for option, value in options(made).items() if option not in called_back} == {
        pycurl.POST: 1,
        pycurl.NOSIGNAL: 1,
        pycurl.PROTOCOLS: pycurl.PROTO_HTTPS | pycurl.PROTO_HTTP,
        pycurl.FOLLOWLOCATION: 0,
        pycurl.PROXY: "",
        pycurl.NOPROXY: "*",
        pycurl.NETRC: pycurl.NETRC_IGNORED,
        pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
        pycurl.SSLVERSION: pycurl.SSLVERSION_TLSv1_2,
        pycurl.SSL_VERIFYPEER: 1,
        pycurl.SSL_VERIFYHOST: 2,
        pycurl.CAINFO: "/ca.pem",
        pycurl.MAXAGE_CONN: KEEP_ALIVE,
        pycurl.MAXLIFETIME_CONN: MAX_AGE,
        pycurl.USERAGENT: "",
    }
    assert made.curl.unset == [pycurl.CAPATH]  # type: ignore[attr-defined]
    assert options(made)[pycurl.RESOLVER_START_FUNCTION]() != 0
    assert all(option in options(made) for option in called_back)


def test_a_request_is_set_with_its_addresses_headers_body_and_deadline(made: Transfer) -> None:
    """libcurl's own Accept and Expect are taken out; a deadline that is over is a millisecond."""
    made.prepare("https://a.gov/", "+a.gov:443:192.0.2.1", {"webhook-id": "m", "x-empty": ""}, b"{}", deadline=1.5)
    assert {option: options(made)[option] for option in (pycurl.URL, pycurl.RESOLVE, pycurl.POSTFIELDS)} == {
        pycurl.URL: "https://a.gov/",
        pycurl.RESOLVE: ["+a.gov:443:192.0.2.1"],
        pycurl.POSTFIELDS: b"{}",
    }
    assert options(made)[pycurl.HTTPHEADER] == ["webhook-id: m", "x-empty;", "accept:", "expect:"]
    assert options(made)[pycurl.TIMEOUT_MS] == 1_500
    made.prepare("https://a.gov/", "+a.gov:443:192.0.2.1", {}, b"", deadline=0.0)
    assert options(made)[pycurl.TIMEOUT_MS] == 1


def test_a_socket_is_made_for_an_allowed_address_alone(made: Transfer) -> None:
    """The last check, whatever libcurl found; a unix socket is none."""

    def opened(address: object) -> object:
        kind = pycurl.SOCKTYPE_IPCXN
        given = type("Given", (), {"addr": address, "family": 2, "socktype": 1, "protocol": 6})()
        return options(made)[pycurl.OPENSOCKETFUNCTION](kind, given)

    allowed = opened(("127.0.0.1", 443))
    assert isinstance(allowed, socket.socket)
    assert (allowed.family, allowed.type, allowed.proto) == (socket.AF_INET, socket.SOCK_STREAM, 6)
    assert made.outcome(pycurl.error(pycurl.E_COULDNT_CONNECT, "x")) == NoResponse(reason="connection failed")
    for address in (("10.0.0.1", 443), b"/run/secrets.sock"):
        assert opened(address) == pycurl.SOCKET_BAD
        assert made.outcome(pycurl.error(pycurl.E_COULDNT_CONNECT, "x")) == NoResponse(reason="address not allowed")
        made.clear()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (pycurl.E_UNSUPPORTED_PROTOCOL, "answer is not HTTP"),
        (8, "answer is not HTTP"),
        (pycurl.E_URL_MALFORMAT, "the URL cannot be read"),
        (pycurl.E_ABORTED_BY_CALLBACK, "the URL cannot be read"),
        (pycurl.E_SSL_CONNECT_ERROR, "TLS failed"),
        (pycurl.E_GOT_NOTHING, "connection closed without an answer"),
        (pycurl.E_SEND_ERROR, "connection closed without an answer"),
        (pycurl.E_RECV_ERROR, "connection closed without an answer"),
        (pycurl.E_OPERATION_TIMEDOUT, "timeout"),
        (pycurl.E_PEER_FAILED_VERIFICATION, "certificate not accepted: what libcurl says"),
        (pycurl.E_COULDNT_CONNECT, "connection failed"),
        (pycurl.E_OUT_OF_MEMORY, "connection failed"),
        (None, "connection closed without an answer"),
    ],
)
def test_without_an_answer_the_tenant_reads_why(made: Transfer, code: int | None, reason: str) -> None:
    """In words, and never the URL, whose query may hold a password."""
    failure = None if code is None else pycurl.error(code, "what libcurl says")
    assert made.outcome(failure) == NoResponse(reason=reason)


@pytest.mark.parametrize(
    ("code", "number", "reason"),
    [
        (pycurl.E_COULDNT_CONNECT, errno.ECONNREFUSED, "connection refused"),
        (pycurl.E_COULDNT_CONNECT, errno.EHOSTUNREACH, "connection failed"),
        (pycurl.E_OUT_OF_MEMORY, errno.ECONNREFUSED, "connection failed"),
    ],
)
def test_a_refusal_is_told_from_other_failures_to_connect(made: Transfer, code: int, number: int, reason: str) -> None:
    """By the system's error."""
    made.curl.errno = number  # type: ignore[attr-defined]
    assert made.outcome(pycurl.error(code, "")) == NoResponse(reason=reason)


def answered(made: Transfer, *lines: bytes) -> None:
    """Give it header lines."""

    async def go() -> None:
        made.cut_body(asyncio.get_running_loop().create_future(), after=60)
        for line in lines:
            options(made)[pycurl.HEADERFUNCTION](line)
        if made._timer:
            made._timer.cancel()

    asyncio.run(go())


FINAL = (b"HTTP/1.1 503 Busy\r\n", b"X: y\r\n", b"Retry-After:  7 \r\n", b"\r\n")


@pytest.mark.parametrize(
    ("lines", "answer"),
    [
        (FINAL, Response(status=503, retry_after="7")),
        ((b"HTTP/1.1 100 Continue\r\n", b"retry-after: 1\r\n", b"\r\n", *FINAL), Response(status=503, retry_after="7")),
        ((b"HTTP/1.1 204\r\n", b"\r\n"), Response(status=204)),
        ((b"HTTP/1.1 200 OK\r\n", b"\r\n", b"HTTP/1.1 500 No\r\n", b"retry-after: 1\r\n"), Response(status=200)),
        ((b"HTTP/1.1 200 OK\r\n", b"retry-after: \xe9\r\n", b"\r\n"), Response(status=200, retry_after="\xe9")),
    ],
)
def test_the_final_status_and_its_headers_are_the_answer(
    made: Transfer, lines: tuple[bytes, ...], answer: Response
) -> None:
    """Not an informational one's, and not trailers; whatever failed after it."""
    answered(made, *lines)
    assert made.outcome(None) == answer
    assert made.outcome(pycurl.error(pycurl.E_RECV_ERROR, "")) == answer


@pytest.mark.parametrize(
    "lines",
    [FINAL[:-1], (b"HTTP/1.1 100 Continue\r\n", b"\r\n"), (b"HTTP/1.1 abc\r\n", b"\r\n"), (b"HTTP/1.1\r\n", b"\r\n")],
)
def test_headers_that_do_not_end_or_have_no_final_status_are_no_answer(
    made: Transfer, lines: tuple[bytes, ...]
) -> None:
    """The receiver has not said what became of the delivery."""
    answered(made, *lines)
    assert made.outcome(None) == NoResponse(reason="connection closed without an answer")


def test_of_a_body_as_much_is_taken_as_is_read(made: Transfer) -> None:
    """Taking less than what came makes libcurl close the connection."""
    answered(made, b"HTTP/1.1 200 OK\r\n", b"\r\n")
    take = options(made)[pycurl.WRITEFUNCTION]
    assert take(b"x" * (BODY_READ - 1)) == BODY_READ - 1
    assert take(b"y") == 1
    assert take(b"z") == 0
    assert made.outcome(None) == Response(status=200, body=b"x" * (BODY_READ - 1) + b"y")


def test_a_transfer_that_is_used_again_knows_nothing_of_the_last(made: Transfer) -> None:
    """Neither its answer nor its timer."""
    answered(made, *FINAL)
    options(made)[pycurl.WRITEFUNCTION](b"body")
    made.clear()
    assert made.outcome(None) == NoResponse(reason="connection closed without an answer")
    answered(made, b"HTTP/1.1 200 OK\r\n", b"\r\n")
    assert made.outcome(None) == Response(status=200)


def test_a_body_is_cut_off_after_its_time_and_not_once_the_transfer_is_over(made: Transfer) -> None:
    """A timer of one request must not end the next."""

    async def go() -> list[tuple[bool, bool]]:
        seen = []
        for cleared in (False, True):
            future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            made.cut_body(future, after=0.01)
            for line in FINAL:
                options(made)[pycurl.HEADERFUNCTION](line)
            if cleared:
                made.clear()
            await asyncio.sleep(0.05)
            seen.append((future.cancelled(), made.body_cut))
            made.clear()
        return seen

    assert asyncio.run(go()) == [(True, True), (False, False)]
