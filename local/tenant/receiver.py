"""A tenant's application: receives webhooks on loopback, verifies them with standardwebhooks, can fail on request."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import msgspec
from standardwebhooks import Webhook, WebhookVerificationError

from local.emulator.server import HOST


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One POST, and the status it was answered with."""

    at: datetime
    path: str
    headers: Mapping[str, str]
    body: bytes
    status: int

    @property
    def id(self) -> str:
        """Its webhook-id: equal over retries."""
        return self.headers.get("webhook-id", "")

    @property
    def event(self) -> dict[str, Any]:
        """Its JSON body."""
        value: dict[str, Any] = msgspec.json.decode(self.body)
        return value

    @property
    def type(self) -> str:
        """The type of its event, e.g. email.bounced."""
        return str(self.event.get("type", ""))

    def is_signed_with(self, secret: str) -> bool:
        """Whether the standardwebhooks library accepts the signature, within five minutes of arrival."""
        try:
            Webhook(secret).verify(self.body, dict(self.headers))
        except WebhookVerificationError:
            return False
        return True


Answer = Callable[[Received], int]  # the status to answer a POST with


class Receiver:
    """Listens on 127.0.0.1; a context manager. Answers 204 unless set otherwise."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._received: list[Received] = []
        self._answers: dict[str, Answer | int] = {}
        self._headers: dict[str, str] = {}
        self._server: _Server | None = None
        self._port = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def url(self, path: str = "/webhook") -> str:
        """The URL of a webhook here; every path is one."""
        return f"http://{HOST}:{self._port}{path}"

    def answer(self, how: Answer | int, *, path: str = "", headers: Mapping[str, str] | None = None) -> None:
        """Answer POSTs to *path* (empty: all others) with a status, or with the result of a function of the POST."""
        with self._changed:
            self._answers[path] = how
            self._headers = dict(headers or {})

    def start(self) -> None:
        """Listen; on the same port again after a stop."""
        self._server = _Server((HOST, self._port), _handler(self._take))
        self._port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        """Refuse connections and drop those that are kept alive, as an application that is not running."""
        server, self._server = self._server, None
        if server:
            server.shutdown()
            server.server_close()
            server.drop_connections()

    def received(self, path: str = "", *, ok: bool = True) -> list[Received]:
        """POSTs received so far, in order; *ok*: without those that were answered with a failure."""
        with self._changed:
            return self._matching(path, ok)

    def wait_for(
        self, path: str = "", *, count: int = 1, kind: str = "", timeout: float = 60.0, ok: bool = True
    ) -> list[Received]:
        """POSTs received, once *count* different webhook-ids (of *kind*) arrived, or after *timeout* s."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                found = [item for item in self._matching(path, ok) if kind in ("", item.type)]
                left = deadline - time.monotonic()
                if len({item.id for item in found}) >= count or left <= 0:
                    return found
                self._changed.wait(left)

    def _matching(self, path: str, ok: bool) -> list[Received]:
        return [item for item in self._received if path in ("", item.path) and (not ok or item.status < 300)]

    def _take(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str]]:
        received = Received(at=datetime.now(UTC), path=path, headers=headers, body=body, status=0)
        with self._changed:
            how = self._answers.get(path, self._answers.get("", 204))
            more = self._headers
        status = how if isinstance(how, int) else how(received)
        with self._changed:
            self._received.append(Received(at=received.at, path=path, headers=headers, body=body, status=status))
            self._changed.notify_all()
        return status, more if status >= 300 else {}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._connections: set[socket.socket] = set()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def drop_connections(self) -> None:
        """Close kept connections; the threads that serve them end."""
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log nothing: tests close connections on purpose."""


def _handler(
    take: Callable[[str, Mapping[str, str], bytes], tuple[int, Mapping[str, str]]],
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 5  # s an idle connection is kept

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            status, more = take(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing: requests are recorded instead."""

    return Handler
