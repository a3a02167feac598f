"""A DynamoDB that can be throttled: passes requests on, or answers as DynamoDB does when a table is over its limits."""

import http.client
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

HOST = "127.0.0.1"
_THROTTLED = json.dumps(
    {
        "__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
        "message": "The level of configured provisioned throughput for the table was exceeded.",
    }
).encode()
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


class Throttle:
    """Stands before the DynamoDB at *endpoint*; a context manager. While `on`, requests that name *table* fail."""

    def __init__(self, endpoint: str, table: str) -> None:
        self.on = threading.Event()
        self.refused = 0
        parts = urlsplit(endpoint)
        self._upstream = (parts.hostname or HOST, parts.port or 80)
        self._table = f'"{table}"'.encode()
        self._server = _Server((HOST, 0), _handler(self))

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def refuses(self, body: bytes) -> bool:
        """Whether a request is throttled."""
        if not (self.on.is_set() and self._table in body):
            return False
        self.refused += 1
        return True

    def upstream(self) -> http.client.HTTPConnection:
        """A connection to the DynamoDB behind."""
        return http.client.HTTPConnection(*self._upstream, timeout=30)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Be silent: a process that was killed leaves its requests."""


def _handler(throttle: Throttle) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            self.upstream = throttle.upstream()

        def finish(self) -> None:
            self.upstream.close()
            super().finish()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if throttle.refuses(body):
                self._answer(400, [("content-type", "application/x-amz-json-1.0")], _THROTTLED)
                return
            self.upstream.request("POST", self.path, body=body, headers=dict(self.headers.items()))
            with self.upstream.getresponse() as response:
                self._answer(response.status, response.getheaders(), response.read())

        def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in _HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Be silent."""

    return Handler
