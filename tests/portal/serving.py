"""The portal's handler behind a real HTTP server on 127.0.0.1, for real browsers."""

import base64
import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from lambdas.portal import handler
from tests.portal.world import Context, event_of

HOST = "127.0.0.1"


@contextmanager
def served() -> Iterator[str]:
    """The address at which the handler answers, for as long as the context lasts."""
    server = ThreadingHTTPServer((HOST, 0), _Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


_one_at_a_time = threading.Lock()  # as one Lambda environment answers


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer("GET", b"")

    def do_POST(self) -> None:
        self._answer("POST", self.rfile.read(int(self.headers.get("content-length", 0))))

    def _answer(self, method: str, body: bytes) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        event = event_of(method, self.path, headers, body, cookie=headers.get("cookie", ""))
        with _one_at_a_time:
            answer: dict[str, Any] = handler.handler(event, Context())
        content = base64.b64decode(answer["body"]) if answer.get("isBase64Encoded") else answer["body"].encode()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.send_response(answer["statusCode"])
            for name, value in answer["headers"].items():
                self.send_header(name, value)
            for cookie in answer.get("cookies", []):
                self.send_header("set-cookie", cookie)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Be silent."""
