"""What a page of the portal costs: DynamoDB reads, CPU and bytes, for a tenant with 10 million events in 30 days.

The portal's own handler runs on simulated services that hold what pages read: the counters of every hour, 2,160
bounces (a download reads up to 20,000: nine times as many), 40 parked deliveries, an hour of archived deliveries, 100
other instances. Each page is made once to record what AWS answers, then again from the recording, so that the CPU is
the portal's and botocore's alone.
"""

import statistics
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch
from urllib.parse import urlencode

import msgspec
from botocore.awsrequest import AWSResponse
from moto.core.botocore_stubber import MockRawResponse

from benchmarks.report import Figure, Report, Table, lower, number
from benchmarks.stub_tables import READ_UNIT, blocks, size_of
from lambdas.aws.clients import CLIENTS
from lambdas.portal import composition, handler
from lambdas.portal.http import Request, request_of
from tests.portal.scenes import dns
from tests.portal.world import Caller, World, delivery, event_of, running

TENANT, WEBHOOK, EVENTS, DAYS = "busy", "wh-busy", 10_000_000, 30
AN_HOUR = EVENTS // (DAYS * 24)
BOUNCES = 3  # an hour that are seeded: more than the 2,000 that any page but the download reads
ARCHIVED = timedelta(hours=1)
BATCH = 10  # deliveries of an archived item: what a busy tenant's invocations deliver together
OTHERS = 100
RUNS = 5  # of each page from the recording; the median is told
SERVICES = ("dynamodb", "secretsmanager", "sns", "sesv2", "iam")
TARGET_READ_UNITS, TARGET_CPU_MS = 250.0, 400.0  # of a page; a download and a search are asked for rarely
_RARE = ("evidence.csv", "find a mail")


@dataclass
class Recording:
    """What AWS answered, by operation and body; a body with a time of its own is answered as the last of its kind."""

    answers: dict[tuple[str, bytes], tuple[int, Mapping[str, str], bytes]] = field(default_factory=dict)
    last: dict[str, tuple[int, Mapping[str, str], bytes]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    read_units: float = 0.0
    replaying: bool = False

    def watch(self, client: Any) -> None:
        """Record or answer the calls of *client*."""
        client.meta.events.register_first("before-send", self._before_send)
        client.meta.events.register("before-call", self._before_call)
        client.meta.events.register("response-received", self._received)

    def _before_call(self, model: Any, params: Any, **_: Any) -> None:
        self._asked = model.name, params

    def _before_send(self, request: Any, **_: Any) -> AWSResponse | None:
        if not self.replaying:
            return None
        operation = self._operation(request.headers, request.url)
        body = request.body or b""
        status, headers, content = self.answers.get((operation, body)) or self.last[operation]
        return AWSResponse(request.url, status, cast("Any", headers), MockRawResponse(content))

    def _received(self, response_dict: Any, parsed_response: Any, context: Any, **_: Any) -> None:
        if self.replaying:
            return
        model, params = self._asked
        headers = {name.lower(): value for name, value in params["headers"].items()}
        operation = headers.get("x-amz-target", params["url"])
        operation = operation.decode() if isinstance(operation, bytes) else str(operation)
        answer = (response_dict["status_code"], dict(response_dict["headers"]), response_dict["body"])
        body = params["body"] if isinstance(params["body"], bytes) else str(params["body"]).encode()
        self.answers[operation, body] = self.last[operation] = answer
        self.calls[model] += 1
        if "DynamoDB" in operation:
            self.read_units += _read_units(body, response_dict["body"])

    def _operation(self, headers: Any, url: str) -> str:
        target = headers.get("X-Amz-Target") or url
        return target.decode() if isinstance(target, bytes) else str(target)


def _read_units(asked: bytes, answered: bytes) -> float:
    """What DynamoDB bills for a read: 4 KB a unit, half of it where the read may be stale."""
    request, found = msgspec.json.decode(asked), msgspec.json.decode(answered)
    factor = 1.0 if request.get("ConsistentRead") else 0.5
    if "Items" in found:
        return factor * blocks(sum(map(size_of, found["Items"])), READ_UNIT)
    if "Responses" in found:
        items = [item for table in found["Responses"].values() for item in table]
        asked_for = sum(len(table["Keys"]) for table in request["RequestItems"].values())
        return 0.5 * (sum(blocks(size_of(item), READ_UNIT) for item in items) + asked_for - len(items))
    return factor * blocks(size_of(found["Item"]), READ_UNIT) if "Item" in found else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a page cost."""

    name: str
    calls: int
    read_units: float
    cpu_ms: float | None  # None: not measured
    kilobytes: float


def measure() -> Report:
    """Make each page."""
    with running() as world, dns(), _steady_clock():
        _seed(world)
        operator, now = world.caller(), datetime.now(UTC)
        operator.get("/signed-out")
        pages = [_page(name, request, now) for name, request in _requests(operator)]
    return Report(name="portal", tables=(_table(pages),), figures=tuple(_figures(pages)))


@contextmanager
def _steady_clock() -> Iterator[None]:
    """The search's clock stands still, so that it reads the same slices each time."""
    with patch.object(composition, "time", SimpleNamespace(monotonic=lambda: 0.0, sleep=time.sleep)):
        yield


class _Untransacted:
    """DynamoDB that carries out a transaction's actions one by one: moto copies all tables for each transaction."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def transact_write_items(self, *, TransactItems: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        """Puts 25 at a time, then the updates."""
        puts = [action["Put"] for action in TransactItems if "Put" in action]
        for some in (puts[start : start + 25] for start in range(0, len(puts), 25)):
            requests = [{"PutRequest": {"Item": put["Item"]}} for put in some]
            self._client.batch_write_item(RequestItems={some[0]["TableName"]: requests})
        for action in TransactItems:
            if "Update" in action:
                self._client.update_item(**action["Update"])
        return {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def _seed(world: World) -> None:
    quick = replace(world, dynamodb=_Untransacted(world.dynamodb))
    world.tenant(TENANT, domain="busy.agency.gov")
    world.webhook(TENANT, WEBHOOK)
    for hour in range(DAYS * 24):
        at = world.now - timedelta(hours=hour, minutes=1)
        world.delivered(TENANT, AN_HOUR, at=at)
        quick.bounced(TENANT, BOUNCES, at=at)
    step = ARCHIVED / (AN_HOUR * ARCHIVED / timedelta(hours=1) / BATCH)
    at = world.now
    while at > world.now - ARCHIVED:
        at -= step
        some = [delivery(f"msg_{at:%H%M%S%f}_{n}", to=f"user{n}@shop.example", at=at) for n in range(BATCH)]
        world.archived(TENANT, WEBHOOK, *some, at=at)
    for index in range(40):
        world.parked(TENANT, WEBHOOK, delivery(f"msg_w{index}", to="waits@shop.example", at=world.now))
    for index in range(OTHERS):
        world.tenant(f"other-{index}")
        world.webhook(f"other-{index}", f"wh-{index}")
        world.delivered(f"other-{index}", 100)


def _requests(operator: Caller) -> Iterator[tuple[str, Request]]:
    home = f"/instances/{TENANT}"
    for name, path in {
        "status": home,
        "evidence.csv": f"{home}/evidence.csv",
        "evidence by cause": f"{home}/sending",
        "webhooks": f"{home}/webhooks",
        "webhook": f"{home}/webhooks/{WEBHOOK}",
        "set-up": f"{home}/setup",
        f"all instances ({OTHERS + 1})": "/",
    }.items():
        yield name, request_of(event_of("GET", path, {}, b"", cookie=operator.cookie))
    form = urlencode({"form_token": operator._new_token(), "needle": "nobody@shop.example"}).encode()
    yield "find a mail", request_of(event_of("POST", f"{home}/mail", {}, form, cookie=operator.cookie))


def _page(name: str, request: Request, now: datetime) -> Page:
    def answer() -> Any:
        return handler._portal().answer(request, now=now)

    recording, clients = Recording(), cast("Any", CLIENTS)
    clients.forget()
    handler._portal.cache_clear()
    for service in SERVICES:
        recording.watch(clients.client(service))
    made = answer()
    assert made.status == 200, made.body
    recording.replaying = True
    took = []
    for _ in range(RUNS):
        began = time.process_time()
        if answer().status != 200:
            break  # a page that asks from several threads cannot be made from a recording yet
        took.append(1000 * (time.process_time() - began))
    return Page(
        name=name,
        calls=sum(recording.calls.values()),
        read_units=recording.read_units,
        cpu_ms=statistics.median(took) if took else None,
        kilobytes=len(str(made.body).encode()) / 1000,
    )


def _table(pages: list[Page]) -> Table:
    rows = [(page.name, f"{page.calls}", number(page.read_units), _cpu(page), number(page.kilobytes)) for page in pages]
    return Table(
        title="A page of the portal, for a tenant with 10 million events in 30 days",
        columns=("page", "AWS calls", "DynamoDB read units", "CPU, ms", "KB"),
        rows=tuple(rows),
        note=(
            f"evidence.csv: of {DAYS * 24 * BOUNCES:,} bounces. Find a mail: the latest hour, {AN_HOUR:,} deliveries, "
            "and the ledger; a real search stops after 8 s and goes on from there."
        ),
    )


def _cpu(page: Page) -> str:
    return "not measured" if page.cpu_ms is None else number(page.cpu_ms)


def _figures(pages: list[Page]) -> Iterator[Figure]:
    for page in pages:
        rare = page.name in _RARE
        yield lower(f"portal, {page.name}: read units", page.read_units, "", None if rare else TARGET_READ_UNITS)
        if page.cpu_ms is not None:
            yield lower(f"portal, {page.name}: CPU", page.cpu_ms, "ms", None if rare else TARGET_CPU_MS)
