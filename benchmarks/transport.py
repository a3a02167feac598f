"""The webhook client: CPU of a POST and memory of open connections, ours beside plain httpx."""

import json
import subprocess
import sys
from dataclasses import dataclass

import msgspec

from benchmarks.report import Report, Table, higher, lower, number
from benchmarks.world import ROOT, World

AT_ONCE = 50
RECEIVERS = 100  # plain httpx looks at every connection on each request: with more it takes minutes
CONNECTIONS = 500  # what one environment should be able to hold open
POSTS = {"plain httpx": 300, "ours": 4_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """CPU of a first and of a later post, s; memory afterwards, MiB."""

    first_s: float
    kept_s: float
    mib: float


def measure() -> Report:
    """Post to the same receivers by both clients, and to many more by ours."""
    with World(CONNECTIONS) as world:
        plain, ours = (_cost(world, client, world.urls[:RECEIVERS]) for client in ("plain httpx", "ours"))
        many = _cost(world, "ours", world.urls)
    return Report(
        name="transport",
        tables=(_table(plain, ours, many),),
        figures=(
            higher("transport: CPU of a kept-alive POST, plain httpx / ours", plain.kept_s / ours.kept_s, target=60),
            higher(
                "transport: CPU of a first POST (TLS handshake), plain httpx / ours",
                plain.first_s / ours.first_s,
                target=4.5,
            ),
            lower(f"transport: memory at {CONNECTIONS} TLS connections", many.mib, "MiB", target=100),
        ),
    )


def _table(plain: Cost, ours: Cost, many: Cost) -> Table:
    costs = {
        f"plain httpx, {RECEIVERS} receivers": plain,
        f"ours, {RECEIVERS} receivers": ours,
        f"ours, {CONNECTIONS} receivers": many,
    }
    return Table(
        title=f"A signed 1.5 KB POST over TLS, {AT_ONCE} at once",
        columns=("client", "kept alive, CPU µs", "first, CPU µs", "memory, MiB"),
        rows=tuple(
            (name, number(1e6 * cost.kept_s), number(1e6 * cost.first_s), number(cost.mib))
            for name, cost in costs.items()
        ),
        note="Receivers are one process of ours (asyncio, TLS); its CPU is not counted. Memory is the whole process.",
    )


def _cost(world: World, client: str, urls: list[str]) -> Cost:
    command = [sys.executable, "-m", "benchmarks.posting", client, "--posts", str(POSTS[client])]
    done = subprocess.run(
        [*command, "--at-once", str(AT_ONCE)],
        cwd=ROOT,
        env=world.environment({}),
        input=json.dumps(urls),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return msgspec.json.decode(done.stdout, type=Cost)
