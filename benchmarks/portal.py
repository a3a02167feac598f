"""What a page of the portal costs: DynamoDB reads, CPU and bytes, for a tenant with 10 million events in 30 days.

The portal's own handler runs on simulated services that hold what pages read: the counters of every hour, 2,160
bounces (a download reads up to 20,000: nine times as many), 40 parked deliveries, an hour of archived deliveries, 1,000
other instances. Each page is made once to record what AWS answers, then again from the recording, so that the CPU is
the portal's and botocore's alone.
"""

import statistics
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from threading import Lock
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch
from urllib.parse import urlencode, urlsplit

import boto3
import msgspec
from botocore.awsrequest import AWSResponse
from moto.core.botocore_stubber import MockRawResponse
from moto.core.models import botocore_stubber

from benchmarks.report import Figure, Report, Table, lower, number
from benchmarks.stub_tables import READ_UNIT, blocks, size_of
from lambdas.aws.clients import CLIENTS, InteractiveClients
from lambdas.aws.dynamodb.attribute_values import to_item
from lambdas.domain.reputation.ledger import bucket_of
from lambdas.portal import composition, handler
from lambdas.portal.http import Request, request_of
from tests.portal.scenes import dns
from tests.portal.world import Caller, World, delivery, event_of, running

TENANT, WEBHOOK, EVENTS, DAYS = "busy", "wh-busy", 10_000_000, 30
AN_HOUR = EVENTS // (DAYS * 24)
BOUNCES = 3  # an hour that are seeded: more than the 2,000 that any page but the download reads
ARCHIVED = timedelta(hours=1)
BATCH = 10  # deliveries of an archived item: what a busy tenant's invocations deliver together
OTHERS, BUSY_OTHERS = 1_000, 25  # other instances, and those of them with mail in every hour: a page of the list
FLEET, IN_FLEET = "fleet", 100  # the organization of the tenant and of some others
OTHERS_HOURS = 10 * 24  # of their counters: the list reads no further back once the window is full
SHARE = 1024 / 1769  # of a vCPU that the portal's function has: Lambda gives a whole one at 1,769 MB
RUNS = 5  # of each page from the recording; the median is told
SERVICES = ("dynamodb", "secretsmanager", "sns", "sesv2", "iam")
TARGET_LIST_READ_UNITS = 400.0  # of the operators' list: its two tables are some 0.2 units for each instance
TARGET_READ_UNITS, TARGET_CPU_MS = 250.0, 400.0  # of any other page; a download and a search are asked for rarely
_RARE = ("evidence.csv", "find a ")


Answer = tuple[int, Mapping[str, str], bytes]  # status, headers, body


@dataclass
class Recording:
    """What AWS answered, by operation and body. Pages ask from several threads at once.

    A body that was never recorded carries a time of its own, such as the rate limiter's: it is answered like the last
    call of its kind, which is the operation with its tables and index.
    """

    answers: dict[tuple[str, bytes], Answer] = field(default_factory=dict)
    last: dict[tuple[str, ...], Answer] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    read_units: float = 0.0
    replaying: bool = False
    guessed: Counter[tuple[str, ...]] = field(default_factory=Counter)
    unwatched: Any = None  # a DynamoDB client
    clients: list[Any] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def watch(self, client: Any) -> None:
        """Record or answer the calls of *client*."""
        self.clients.append(client)
        client.meta.events.register_first("before-send", self._before_send)
        client.meta.events.register("before-call", self._before_call)
        client.meta.events.register("response-received", self._received)

    def replay(self) -> None:
        """From now on answer from the recording. Moto goes: botocore asks every handler, and moto's CPU is not ours."""
        self.replaying = True
        for client in self.clients:
            client.meta.events.unregister("before-send", botocore_stubber)

    def _before_call(self, model: Any, params: Any, context: dict[str, Any], **_: Any) -> None:
        context["asked"] = model.name, _operation(params["headers"], params["url"]), _bytes(params["body"])

    def _before_send(self, request: Any, **_: Any) -> AWSResponse | None:
        if not self.replaying:
            return None
        operation, body = _operation(request.headers, request.url), _bytes(request.body or b"")
        answer = self.answers.get((operation, body))
        if answer is None:
            kind = _kind(operation, body)
            self.guessed[kind] += 1
            answer = self.last[kind]
        status, headers, content = answer
        return AWSResponse(request.url, status, cast("Any", headers), MockRawResponse(content))

    def _received(self, response_dict: Any, context: dict[str, Any], **_: Any) -> None:
        if self.replaying:
            return
        name, operation, body = context["asked"]
        answer = (response_dict["status_code"], dict(response_dict["headers"]), response_dict["body"])
        with self.lock:
            self.answers[operation, body] = self.last[_kind(operation, body)] = answer
            self.calls[name] += 1
            if "DynamoDB" in operation:
                self.read_units += _read_units(body, self._whole(body) or response_dict["body"])

    def _whole(self, body: bytes) -> bytes | None:
        """What a query with a projection would answer without it: DynamoDB bills whole items. None without one."""
        call = msgspec.json.decode(body)
        if call.pop("ProjectionExpression", None) is None:
            return None
        names, condition = call["ExpressionAttributeNames"], call["KeyConditionExpression"]
        call["ExpressionAttributeNames"] = {name: own for name, own in names.items() if name in condition}
        return msgspec.json.encode({"Items": self.unwatched.query(**call)["Items"]})


def _operation(headers: Mapping[str, Any], url: str) -> str:
    """DynamoDB and Secrets Manager name it in a header; of the others the path does."""
    named = {name.lower(): value for name, value in headers.items()}.get("x-amz-target", urlsplit(url).path)
    return named.decode() if isinstance(named, bytes) else str(named)


def _bytes(body: Any) -> bytes:
    """A body as it is sent: services that take forms have it as fields until then, and others none."""
    if isinstance(body, Mapping):
        return urlencode(body, doseq=True).encode()
    return body.encode() if isinstance(body, str) else body


def _kind(operation: str, body: bytes) -> tuple[str, ...]:
    """The operation with the tables and the index that it asks for."""
    if "DynamoDB" not in operation:
        return (operation,)
    call = msgspec.json.decode(body)
    return (operation, call.get("TableName", ""), call.get("IndexName", ""), *sorted(call.get("RequestItems", ())))


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
    if "Key" in request and "UpdateExpression" not in request:
        return factor * blocks(size_of(found.get("Item", {})), READ_UNIT)
    return 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a page cost."""

    name: str
    calls: int
    read_units: float
    cpu_ms: float
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
    world.tenant(TENANT, domain="busy.agency.gov", organization=FLEET, claimed=True)
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
        quick.tenant(f"other-{index:04}", organization=FLEET if index < IN_FLEET else "org")
        world.webhook(f"other-{index:04}", f"wh-{index}")
        hours = OTHERS_HOURS if index < BUSY_OTHERS else 1
        _put(world, _counters(f"other-{index:04}", hours, world.now))


def _counters(instance_id: str, hours: int, now: datetime) -> Iterator[dict[str, Any]]:
    """Both counters of each of the last hours, with 100 deliveries each: 100 hours fill the window."""
    for hour in range(hours):
        bucket = bucket_of(now - timedelta(hours=hour))
        for name, counts in ((f"deliveries#{bucket}", {"deliveries": 100}), (f"feedback#{bucket}", {"bounces": 0})):
            expires_at = int((now + timedelta(days=5)).timestamp())
            yield to_item({"instance_id": instance_id, "item": name, **counts, "expires_at": expires_at})


def _put(world: World, items: Iterable[dict[str, Any]]) -> None:
    left = iter(items)
    while some := list(islice(left, 25)):
        world.dynamodb.batch_write_item(RequestItems={"reputation": [{"PutRequest": {"Item": one}} for one in some]})


def _requests(operator: Caller) -> Iterator[tuple[str, Request]]:
    home = f"/instances/{TENANT}"
    for name, path in {
        "status": home,
        "evidence.csv": f"{home}/evidence.csv",
        "evidence by cause": f"{home}/sending",
        "webhooks": f"{home}/webhooks",
        "webhook": f"{home}/webhooks/{WEBHOOK}",
        "set-up": f"{home}/setup",
        f"all instances ({OTHERS + 1:,})": "/",
    }.items():
        yield name, request_of(event_of("GET", path, {}, b"", cookie=operator.cookie))
    form = urlencode({"form_token": operator._new_token(), "needle": "nobody@shop.example"}).encode()
    yield "find a mail", request_of(event_of("POST", f"{home}/mail", {}, form, cookie=operator.cookie))
    form += b"&within=" + FLEET.encode()
    name = f"find a recipient ({IN_FLEET + 1} instances)"
    yield name, request_of(event_of("POST", "/recipients", {}, form, cookie=operator.cookie))


def _page(name: str, request: Request, now: datetime) -> Page:
    def answer() -> Any:
        return handler._portal().answer(request, now=now)

    recording, clients = Recording(unwatched=boto3.client("dynamodb")), cast("Any", InteractiveClients(CLIENTS))
    CLIENTS.forget()
    handler._portal.cache_clear()
    for service in SERVICES:
        recording.watch(clients.client(service))
    made = answer()
    assert made.status == 200, made.body
    recording.replay()
    took = []
    for _ in range(RUNS):
        began = time.process_time()
        again = answer()
        took.append(1000 * (time.process_time() - began))
        assert again.status == 200, again.body
        assert len(again.body) == len(made.body), f"{name}: the recording makes another page"
    return Page(
        name=name,
        calls=sum(recording.calls.values()),
        read_units=recording.read_units,
        cpu_ms=statistics.median(took),
        kilobytes=len(str(made.body).encode()) / 1000,
    )


def _table(pages: list[Page]) -> Table:
    rows = [
        (
            page.name,
            f"{page.calls}",
            number(page.read_units),
            number(page.cpu_ms),
            number(page.cpu_ms / SHARE),
            number(page.kilobytes),
        )
        for page in pages
    ]
    return Table(
        title="A page of the portal, for a tenant with 10 million events in 30 days",
        columns=("page", "AWS calls", "DynamoDB read units", "CPU, ms", "in the function, ms", "KB"),
        rows=tuple(rows),
        note=(
            f"evidence.csv: of {DAYS * 24 * BOUNCES:,} bounces. Find a mail: the latest hour, {AN_HOUR:,} deliveries, "
            "and the ledger. Find a recipient: the ledgers of an organization, the tenant's among them. A real search "
            f"stops after 8 s and continues from there. All instances: a page of {BUSY_OTHERS} instances with "
            "mail in every hour. In the function: what the CPU takes with its 0.58 of a vCPU, without the wait for AWS."
        ),
    )


def _figures(pages: list[Page]) -> Iterator[Figure]:
    for page in pages:
        rare = page.name.startswith(_RARE)
        units = TARGET_LIST_READ_UNITS if page.name.startswith("all instances") else TARGET_READ_UNITS
        yield lower(f"portal, {page.name}: read units", page.read_units, "", None if rare else units)
        yield lower(f"portal, {page.name}: CPU", page.cpu_ms, "ms", None if rare else TARGET_CPU_MS)
