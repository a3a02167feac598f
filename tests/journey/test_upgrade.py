"""From 1.0.0 to this release, back, and to it again, while events are published: nothing is lost or counted twice."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
from botocore.exceptions import ClientError

from local import process
from local.deploy import Deployer
from local.process import ROOT, Server
from local.stack import facts_of, release_at_once
from local.tenant.receiver import Receiver
from local.tenant.tenant import Tenant
from tests.journey.conftest import Stack
from tests.journey.looking import publish_history
from tests.upgrade.previous import unpack
from tests.upgrade.traffic import Traffic, mails_of

pytestmark = [pytest.mark.upgrade, pytest.mark.xdist_group("upgrade")]
EVENTS_BETWEEN = 15  # published between two deployments
POLL = 0.5  # s between calls of the broker
REDELIVERED_AFTER = "10"  # s
PLATFORM_TIMEOUT = 55.0  # s: platforms give up after a minute; on a busy machine a function takes long to start


@dataclass(frozen=True, kw_only=True)
class Releases:
    """An embedded AWS, the previous release ready to be deployed to it, and this one as soon as it is synthesised."""

    server: Server
    previous: Deployer
    head: Future[Deployer]
    stacks: list[Stack] = field(default_factory=list)

    def deploy(self, release: Deployer) -> Stack:
        """Deploy one of them, over whatever is there."""
        facts = facts_of(self.server, release.deploy_assembly(_silently), strict=False)
        release_at_once(self.server, facts)
        stack = Stack(facts=facts)
        self.stacks.append(stack)
        stack.broker.http.timeout = PLATFORM_TIMEOUT
        _redeliver_soon(stack)
        return stack


@pytest.fixture
def releases(tmp_path: Path) -> Iterator[Releases]:
    """The previous release's sources come with the tests."""
    server = process.start(tmp_path / "aws")
    try:
        with ThreadPoolExecutor() as pool:
            previous = _synthesised(server, tmp_path / "previous", unpack(tmp_path / "sources"))
            head = pool.submit(_synthesised, server, tmp_path / "head", ROOT)
            made = Releases(server=server, previous=previous, head=head)
            yield made
            for stack in made.stacks:
                stack.broker.http.close()
    finally:
        process.stop(server.pid)


def _synthesised(server: Server, folder: Path, source: Path) -> Deployer:
    folder.mkdir()
    deployer = Deployer(url=server.url, portal_url=server.portal_url, folder=folder, source=source)
    deployer.synthesise(_silently)
    return deployer


def _redeliver_soon(stack: Stack) -> None:
    """The embedded AWS ends running invocations when a function's code changes; Lambda lets them finish.

    So each deployment is also a crash of every function. The messages it interrupts return after a few seconds here,
    and not after six timeouts of the function.
    """
    for name, url in stack.facts["queues"].items():
        if not name.endswith("dlq"):
            stack.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": REDELIVERED_AFTER})


def _silently(*_: object) -> None:
    """Show no progress."""


@dataclass(kw_only=True)
class Platform:
    """Calls the broker all the time in a thread of its own; `failures` are the answers that were none."""

    stack: Stack
    calls: int = 0
    failures: list[str] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        facts = self.stack.facts
        with httpx.Client(base_url=facts["broker_url"], trust_env=False, timeout=PLATFORM_TIMEOUT) as client:
            client.auth = (facts["broker_username"], facts["broker_password"])
            client.headers["X-Broker-API-Version"] = "2.17"
            while not self._ended.wait(POLL):
                self.calls += 1
                try:
                    client.get("/v2/catalog").raise_for_status()
                except httpx.HTTPError as error:
                    self.failures.append(repr(error))


def test_an_upgrade_and_a_way_back_under_traffic_lose_nothing_and_count_nothing_twice(releases: Releases) -> None:
    """Instances, bindings, webhooks, a backlog, a paused tenant, batches: all work after each deployment."""
    stack = releases.deploy(releases.previous)
    with Receiver() as receiver, Receiver() as stopped:
        webhooks = (*map(receiver.url, ("/busy", "/mailer", "/paused")), stopped.url("/down"))
        with ThreadPoolExecutor() as pool:
            busy, mailer, paused, down = pool.map(stack.tenant, webhooks)
        stopped.wait_for(kind="webhook.test")
        stopped.stop()
        publish_history(stack, paused, deliveries=600, bounces=40)
        receiver.wait_for("/paused", kind="reputation.paused")
        traffic = Traffic(publish=stack.publish, instances=[busy.instance_id, down.instance_id])
        with traffic, Platform(stack=stack) as platform:
            _wait_for_events(traffic)

            upgraded = releases.deploy(releases.head.result())
            _check(upgraded, mailer, paused, receiver)
            batched = upgraded.tenant(
                receiver.url("/batched"), bind={"notification_batch": 5, "notification_batch_seconds": 1}
            )
            traffic.instances.append(batched.instance_id)
            _wait_for_events(traffic)
            stopped.start()  # what 1.0.0 parked is delivered by this release
            _wait_until_delivered(stopped, "/down", traffic, down)
            stopped.stop()  # and what this one parks, by 1.0.0
            _wait_for_events(traffic)

            back = releases.deploy(releases.previous)
            _check(back, mailer, paused, receiver)
            back.tenant(receiver.url("/passing")).leave()
            stopped.start()
            _wait_until_delivered(stopped, "/down", traffic, down)
            _wait_until_delivered(receiver, "/batched", traffic, batched)
            _wait_for_events(traffic)

            again = releases.deploy(releases.head.result())
            _check(again, mailer, paused, receiver)
            _wait_for_events(traffic)
        for tenant, got, path in ((busy, receiver, "/busy"), (down, stopped, "/down"), (batched, receiver, "/batched")):
            _wait_until_delivered(got, path, traffic, tenant)
            assert all(one.is_signed_with(tenant.secret) for one in got.received(path)[-20:])
            _wait_until_counted(again, traffic, tenant)
        assert platform.failures == []
        assert platform.calls > 20
        _assert_nothing_failed(again)


def _wait_for_events(traffic: Traffic, count: int = EVENTS_BETWEEN) -> None:
    wanted = traffic.total() + count
    Stack.eventually(traffic.total, lambda total: total >= wanted)


def _check(stack: Stack, mailer: Tenant, paused: Tenant, receiver: Receiver) -> None:
    """Credentials are the same and work, the same bind again answers the same, and a paused tenant stays paused."""
    again = stack.broker.bind(mailer.instance_id, mailer.binding_id, {"notification_webhook": receiver.url("/mailer")})
    assert again == mailer.credentials
    sent = {mailer.mailbox.send_by_smtp("bounce@shop.example"), mailer.mailbox.send("bounce@shop.example")}
    stack.eventually(lambda: mails_of(receiver.received("/mailer")), lambda got: sent <= got)
    with pytest.raises(ClientError, match="paused"):
        paused.mailbox.send("joe@shop.example")


def _wait_until_delivered(receiver: Receiver, path: str, traffic: Traffic, tenant: Tenant) -> None:
    """All mails of *tenant* that events were published about so far have reached its webhook."""
    published = set(traffic.mails[tenant.instance_id])
    missing = Stack.eventually(lambda: published - mails_of(receiver.received(path)), lambda left: not left)
    assert missing == set()


def _wait_until_counted(stack: Stack, traffic: Traffic, tenant: Tenant) -> None:
    """Bounces and complaints exactly once; deliveries at least once, because each deployment here is a crash."""
    published = dict(traffic.counted[tenant.instance_id])
    counted = stack.eventually(lambda: stack.counters(tenant.instance_id), lambda got: _reaches(got, published))
    assert {**counted, "deliveries": published["deliveries"]} == published


def _reaches(counted: dict[str, int], published: dict[str, int]) -> bool:
    return all(counted[kind] >= count for kind, count in published.items())


def _assert_nothing_failed(stack: Stack) -> None:
    queues: list[str] = [name for name in stack.facts["queues"] if name.endswith("dlq")]
    assert queues
    waiting: dict[str, Any] = {name: stack.waiting(name) for name in queues}
    assert waiting == dict.fromkeys(queues, 0)
