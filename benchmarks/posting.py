"""`python -m benchmarks.posting CLIENT`: what a signed POST over TLS costs in a process that does nothing else.

CLIENT is `ours` (the delivery function's webhook client) or `plain httpx` (its client as it comes). Everything is
posted once to open the connections, then the measured posts go over kept-alive ones.
"""

import argparse
import asyncio
import json
import os
import resource
import ssl
import sys
import time
from collections.abc import Awaitable, Callable
from itertools import cycle, islice
from pathlib import Path

from benchmarks.invoke import MIB_OF_MAXRSS

Post = Callable[[str], Awaitable[int]]
BODY = b'{"type": "email.delivered", "data": "' + b"x" * 1460 + b'"}'  # bytes: 1.5 KB, an ordinary event
HEADERS = {
    "content-type": "application/json",
    "webhook-id": "msg_0123456789abcdef0123456789abcdef",
    "webhook-timestamp": "1795000000",
    "webhook-signature": "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
}


def plain_httpx() -> Post:
    """httpx as it comes, but for limits that let it keep every connection."""
    import httpx

    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=None)
    tls = ssl.create_default_context(cafile=os.environ["BENCHMARK_AUTHORITY"])
    client = httpx.AsyncClient(verify=tls, limits=limits, timeout=60)

    async def post(url: str) -> int:
        return (await client.post(url, content=BODY, headers=HEADERS)).status_code

    return post


def ours() -> Post:
    """The delivery function's webhook client, allowed to reach this machine."""
    from lambdas.delivery.certificates import ca_file
    from lambdas.delivery.concurrency import CONNECTIONS
    from lambdas.delivery.endpoint import Endpoint
    from lambdas.delivery.name_resolver import NameResolver
    from lambdas.delivery.webhook_client import WebhookClient
    from lambdas.domain.webhooks.address_rules import AddressRules
    from lambdas.domain.webhooks.attempt import Response

    rules = AddressRules.parse("127.0.0.0/8", allow_http=False)
    authorities = ca_file(os.environ["BENCHMARK_AUTHORITY"])
    client = WebhookClient(rules, NameResolver(rules), authorities, connections=CONNECTIONS)

    located: dict[str, Endpoint] = {}

    async def post(url: str) -> int:
        if url not in located:  # once a webhook and invocation, as in delivery
            located[url] = await client.locate("i1", url)
        answer = await client.post(located[url], HEADERS, BODY)
        return answer.status if isinstance(answer, Response) else 0

    return post


CLIENTS: dict[str, Callable[[], Post]] = {"plain httpx": plain_httpx, "ours": ours}


async def measure(post: Post, urls: list[str], posts: int, at_once: int) -> dict[str, float]:
    """CPU of a first and of a later post, s, and this process's memory with all connections open, MiB."""
    gate = asyncio.Semaphore(at_once)

    async def gated(url: str) -> None:
        async with gate:
            status = await post(url)
        if status != 204:
            raise RuntimeError(f"a receiver answered {status}")

    async def cpu_of(targets: list[str]) -> float:
        began = time.process_time()
        await asyncio.gather(*map(gated, targets))
        return (time.process_time() - began) / len(targets)

    first = await cpu_of(urls)
    kept = await cpu_of(list(islice(cycle(urls), posts)))
    return {"first_s": first, "kept_s": kept, "mib": memory_mib()}


def memory_mib() -> float:
    """Resident memory now; its peak where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB_OF_MAXRSS
    return pages * resource.getpagesize() / 2**20


def main() -> None:
    """Read the command line and the URLs on stdin, print the measures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("client", choices=CLIENTS)
    parser.add_argument("--posts", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=50)
    arguments = parser.parse_args()
    asyncio.run(report(arguments.client, json.load(sys.stdin), arguments.posts, arguments.at_once))


async def report(client: str, urls: list[str], posts: int, at_once: int) -> None:
    """Print the measures as JSON and leave at once: five hundred connections need no farewell."""
    post = CLIENTS[client]()
    print(json.dumps(await measure(post, urls, posts, at_once)), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
