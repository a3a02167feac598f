"""`python -m benchmarks.receiver`: many webhooks in one process of its own, which is never what is measured.

Each webhook is a port of 127.0.0.1 that speaks TLS and answers 204 after a latency, or, if it is among those that hang,
takes the request and never answers. A control port tells counts and changes the behaviour. The first line of stdout
says where all this is; it ends when stdin does.
"""

import argparse
import asyncio
import json
import ssl
import sys
import time
from functools import partial
from http import HTTPStatus
from pathlib import Path

from benchmarks.raw_http import Answer, HttpProtocol, Request, as_json

HOST = "127.0.0.1"
BACKLOG = 512


class Receiver:
    """The webhooks' behaviour and what they have received."""

    def __init__(self) -> None:
        self.latency = 0.0
        self.hanging = 0  # one in so many hangs; 0: none
        self.received = 0
        self.ids: set[bytes] = set()
        self.bytes = 0  # of requests: line, headers and body
        self._cpu = time.process_time()

    def answer(self, number: int, request: Request) -> Answer:
        """What webhook *number* answers to a delivery."""
        self.received += 1
        self.bytes += request.size
        if self.hangs(number):
            return Answer(delay=None)
        self.ids.add(request.headers.get(b"webhook-id", b"%d" % self.received))
        return Answer(body=b"", status=HTTPStatus.NO_CONTENT, delay=self.latency)

    def hangs(self, number: int) -> bool:
        """Whether webhook *number* is one of those that hang."""
        return bool(self.hanging) and number % self.hanging == 0

    def control(self, request: Request) -> Answer:
        """Tell the counts; a POST first sets latency and hanging and begins anew."""
        answer = {
            "received": self.received,
            "distinct": len(self.ids),
            "bytes": self.bytes,
            "cpu_s": time.process_time() - self._cpu,
        }
        if request.method == "POST":
            wanted = json.loads(request.body)
            self.latency, self.hanging = wanted["latency"], wanted["hanging"]
            self.received, self.ids, self.bytes, self._cpu = 0, set(), 0, time.process_time()
        return as_json(answer)


async def serve(webhooks: int, certificate: Path) -> None:
    """Serve until stdin ends: the parent closes it, or dies."""
    loop = asyncio.get_running_loop()
    receiver = Receiver()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    ports = []
    for number in range(webhooks):
        answer = partial(receiver.answer, number)
        server = await loop.create_server(partial(HttpProtocol, answer), HOST, 0, ssl=tls, backlog=BACKLOG)
        ports.append(server.sockets[0].getsockname()[1])
    control = await loop.create_server(partial(HttpProtocol, receiver.control), HOST, 0)
    print(json.dumps({"ports": ports, "control": control.sockets[0].getsockname()[1]}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--webhooks", type=int, default=1)
    parser.add_argument("--certificate", type=Path, required=True, help="PEM file with key and chain for 127.0.0.1")
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.webhooks, arguments.certificate))


if __name__ == "__main__":
    main()
