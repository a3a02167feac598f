"""One HTTP request over libcurl: its options, and what it receives."""

import asyncio
import errno
import re
import socket
from collections.abc import Mapping
from typing import Any

import pycurl

from lambdas.domain.webhooks.address_rules import AddressRules
from lambdas.domain.webhooks.attempt import BODY_READ, TIMED_OUT, NoResponse, Response

KEEP_ALIVE = 60  # s: most servers close an idle connection after 60 to 75
MAX_AGE = 300  # s: a receiver that moves to other addresses is followed by then, however busy its connection

_BREAK = re.compile(r"[\r\n\0]")
_NO_ANSWER = "connection closed without an answer"
_NOT_HTTP = "answer is not HTTP"
_REASONS = {
    pycurl.E_UNSUPPORTED_PROTOCOL: _NOT_HTTP,  # libcurl's code for an answer without a status line (HTTP/0.9)
    8: _NOT_HTTP,  # CURLE_WEIRD_SERVER_REPLY, for which pycurl has another protocol's name
    pycurl.E_URL_MALFORMAT: "the URL cannot be read",
    pycurl.E_ABORTED_BY_CALLBACK: "the URL cannot be read",  # libcurl reads another host in it than we did
    pycurl.E_SSL_CONNECT_ERROR: "TLS failed",
    pycurl.E_GOT_NOTHING: _NO_ANSWER,
    pycurl.E_SEND_ERROR: _NO_ANSWER,
    pycurl.E_RECV_ERROR: _NO_ANSWER,
    pycurl.E_OPERATION_TIMEDOUT: TIMED_OUT,
}


class Transfer:
    """A libcurl easy handle with what it receives; used for one request after another."""

    def __init__(self, rules: AddressRules, ca_file: str) -> None:
        self._rules = rules
        self.curl = pycurl.Curl()
        self._set_options(ca_file)
        self.clear()

    def clear(self) -> None:
        """Forget the request and its answer."""
        self._status = 0
        self._complete = False  # whether the headers of a final status are
        self._headers: list[bytes] = []
        self._body = bytearray()
        self._address_refused = False
        self._future: asyncio.Future[Any] | None = None
        if timer := getattr(self, "_timer", None):
            timer.cancel()
        self._timer: asyncio.TimerHandle | None = None
        self.body_cut = False

    def _set_options(self, ca_file: str) -> None:
        options: dict[int, object] = {
            pycurl.POST: 1,
            pycurl.NOSIGNAL: 1,
            pycurl.PROTOCOLS: pycurl.PROTO_HTTPS | pycurl.PROTO_HTTP,  # the rules have checked which of them
            pycurl.FOLLOWLOCATION: 0,
            pycurl.PROXY: "",  # not even one of the environment
            pycurl.NOPROXY: "*",
            pycurl.NETRC: pycurl.NETRC_IGNORED,
            pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
            pycurl.SSLVERSION: pycurl.SSLVERSION_TLSv1_2,  # or later
            pycurl.SSL_VERIFYPEER: 1,
            pycurl.SSL_VERIFYHOST: 2,
            pycurl.CAINFO: ca_file,
            pycurl.MAXAGE_CONN: KEEP_ALIVE,
            pycurl.MAXLIFETIME_CONN: MAX_AGE,
            pycurl.USERAGENT: "",  # pycurl's own; ours is a header
            pycurl.RESOLVER_START_FUNCTION: _refuse_lookup,
            pycurl.OPENSOCKETFUNCTION: self._open_socket,
            pycurl.HEADERFUNCTION: self._on_header,
            pycurl.WRITEFUNCTION: self._on_body,
        }
        for option, value in options.items():
            self.curl.setopt(option, value)
        self.curl.unsetopt(pycurl.CAPATH)

    def prepare(self, url: str, pinned: str, headers: Mapping[str, str], body: bytes, *, deadline: float) -> None:
        """Set the next request. *pinned* holds the addresses of the URL's host; *deadline* is in s."""
        self.curl.setopt(pycurl.URL, url)
        self.curl.setopt(pycurl.RESOLVE, [pinned])
        self.curl.setopt(pycurl.HTTPHEADER, _lines(headers))
        self.curl.setopt(pycurl.POSTFIELDS, body)
        self.curl.setopt(pycurl.TIMEOUT_MS, max(1, round(1000 * deadline)))

    def cut_body(self, future: "asyncio.Future[Any]", *, after: float) -> None:
        """Cancel *future*, the transfer's, *after* seconds from the end of its headers."""
        self._future, self._body_deadline = future, after

    def outcome(self, failure: pycurl.error | None) -> Response | NoResponse:
        """The answer as far as it came, or why there is none. A status decides, whatever became of the body."""
        if not self._complete:
            return NoResponse(reason=self._reason(failure))
        return Response(status=self._status, retry_after=self._retry_after(), body=bytes(self._body[:BODY_READ]))

    def _reason(self, failure: pycurl.error | None) -> str:
        """In words for the tenant; never the URL, which may hold a password in its query."""
        arguments: tuple[Any, ...] = failure.args if failure else (pycurl.E_GOT_NOTHING, "")
        code, message = arguments
        if self._address_refused:
            return "address not allowed"
        if code == pycurl.E_PEER_FAILED_VERIFICATION:
            return f"certificate not accepted: {message}"
        if code == pycurl.E_COULDNT_CONNECT and self.curl.getinfo(pycurl.OS_ERRNO) == errno.ECONNREFUSED:
            return "connection refused"
        return _REASONS.get(code, "connection failed")

    def _retry_after(self) -> str | None:
        for line in self._headers:
            name, _, value = line.partition(b":")
            if name.strip().lower() == b"retry-after":
                return value.strip().decode("latin-1")
        return None

    # what libcurl calls

    def _open_socket(self, _purpose: int, address: pycurl.CurlSockAddr) -> socket.socket | int:
        """The socket of a new connection, or none if its address is not allowed."""
        host = address.addr[0] if isinstance(address.addr, tuple) else ""  # else bytes: the path of a unix socket
        if not self._rules.admits(host):
            self._address_refused = True
            return pycurl.SOCKET_BAD
        return _Socket(address.family, address.socktype, address.protocol)

    def _on_header(self, line: bytes) -> None:
        if self._complete:
            return  # a trailer
        if line.startswith(b"HTTP/"):
            status = line.split(None, 2)[1:2]
            self._status = int(status[0]) if status and status[0].isdigit() else 0
            self._headers.clear()  # those of an informational answer
        elif line.strip():
            self._headers.append(line)
        elif self._status >= 200:
            self._complete = True
            self._timer = asyncio.get_running_loop().call_later(self._body_deadline, self._cut_body)

    def _cut_body(self) -> None:
        if self._future and not self._future.done():
            self.body_cut = True
            self._future.cancel()

    def _on_body(self, chunk: bytes) -> int:
        """Take a piece of the body. Taking less than all of it makes libcurl close the connection."""
        self._body += chunk
        return len(chunk) if len(self._body) <= BODY_READ else 0


class _Socket(socket.socket):
    """A socket that pycurl duplicates and then drops."""

    def __del__(self) -> None:
        self.close()


def _refuse_lookup() -> int:
    """libcurl asks before it looks a name up. It never may: the addresses are pinned."""
    return 1


def _lines(headers: Mapping[str, str]) -> list[str]:
    """Headers as libcurl takes them; its own Accept and Expect are taken out."""
    lines = [f"{name}: {value}" if value else f"{name};" for name, value in headers.items()]
    if _BREAK.search("".join(lines)):
        raise ValueError("a header holds a line break")
    return [*lines, "accept:", "expect:"]
