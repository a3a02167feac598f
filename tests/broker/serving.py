"""The broker on fakes behind a real HTTP server on 127.0.0.1, for tools that speak HTTP."""

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl
from wsgiref.simple_server import WSGIRequestHandler, make_server

from lambdas.broker.osb.requests import Request
from tests.broker.world import World


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Nothing on stderr."""


def app(world: World) -> Any:
    """A WSGI application that answers as the broker's function behind the HTTP API does; its worker works at once."""

    def answer(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        headers = {
            name.removeprefix("HTTP_").replace("_", "-").lower(): value
            for name, value in environ.items()
            if name.startswith("HTTP_")
        }
        length = int(environ.get("CONTENT_LENGTH") or 0)
        found = world.api.answer(
            Request(
                method=environ["REQUEST_METHOD"],
                path=environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace"),
                query=dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)),
                headers=headers,
                body=environ["wsgi.input"].read(length),
            ),
            now=world.now,
        )
        world.work()
        body = json.dumps(found.body).encode()
        known = {"Content-Type": "application/json", "Content-Length": str(len(body)), **found.headers}
        start(f"{found.status} -", list(known.items()))
        return [body]

    return answer


@contextmanager
def serving(world: World) -> Iterator[str]:
    """The broker's URL while the block lasts."""
    server = make_server("127.0.0.1", 0, app(world), handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
