"""One batch with every kind of bad receiver in it, over real sockets: the others' deliveries are made."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta

import trustme

from lambdas.delivery.endpoint import Endpoint
from lambdas.delivery.name_resolver import NameResolver
from lambdas.delivery.ports import DeliveryRules
from lambdas.delivery.webhook_client import WebhookClient
from lambdas.domain.webhooks.address_rules import AddressRules
from lambdas.domain.webhooks.attempt import NoResponse, Response
from lambdas.domain.webhooks.health import HealthRules
from lambdas.domain.webhooks.retry_schedule import RetrySchedule
from tests.delivery.receivers import LOCAL, OK, Behaviour, ca_file, receiver, server_tls
from tests.delivery.test_webhook_client import break_off, drip, flood
from tests.delivery.world import World, batch

DEADLINE = 600.0  # s: nothing here waits for it
BODY_DEADLINE = 0.5  # s
EACH = 8  # deliveries of each webhook
GOOD = [f"good-{number}" for number in range(5)]


class UntilTheGoodAreDone:
    """Says something, then nothing until all good webhooks' deliveries were made; then it hangs up."""

    def __init__(self, says: bytes = b"") -> None:
        self._says = says
        self.done = asyncio.Event()

    async def __call__(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Behave."""
        writer.write(self._says)
        await self.done.wait()


BAD: dict[str, tuple[bytes | Behaviour, str]] = {  # how it answers, and why that is a failure
    "hangs": (UntilTheGoodAreDone(), "connection closed"),
    "stops-in-headers": (UntilTheGoodAreDone(b"HTTP/1.1 200 OK\r\nx: "), "connection closed"),
    "closes": (break_off, "connection closed without an answer"),
    "redirects": (b"HTTP/1.1 302 No\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n", "302"),
    "wrong-certificate": (OK, "certificate not accepted"),
    "rebinds": (OK, "address not allowed"),
}
FINE: dict[str, bytes | Behaviour] = {
    "floods": flood,
    "rubbish": b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n\xff\xfe\x00\x01",
    "drips-body": drip(head=b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n", tail=b"x"),
}


def names(host: str) -> list[str]:
    """Answers for one name with an address inside, for all others with this machine's."""
    return ["169.254.169.254" if host == "rebinds.example" else LOCAL]


class CountingClient(WebhookClient):
    """Tells the receivers that hang when the last delivery to a good one was made."""

    good = 0

    async def post(
        self, endpoint: Endpoint, headers: Mapping[str, str], body: bytes, *, deadline: float = DEADLINE
    ) -> Response | NoResponse:
        """Post, and count."""
        answer = await super().post(endpoint, headers, body, deadline=deadline)
        self.good += endpoint.host.startswith("good-") and isinstance(answer, Response)
        if self.good == EACH * len(GOOD):
            for behaviour, _ in BAD.values():
                if isinstance(behaviour, UntilTheGoodAreDone):
                    behaviour.done.set()
        return answer


async def deliver() -> World:
    """Deliver one batch to all of them; the world after it."""
    world = World()  # its clock stands still: no attempt comes too late to begin, however slow the machine is
    rules = AddressRules.parse("127.0.0.1/32", allow_http=False)
    resolver = NameResolver(rules, names)
    client = CountingClient(rules, resolver, ca_file(), connections=200, body_deadline=BODY_DEADLINE)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.sleep, 0)
        stack.push_async_callback(client.aclose)
        answers = {name: answer for name, (answer, _) in BAD.items()} | FINE | dict.fromkeys(GOOD, OK)
        for name, answer in answers.items():
            ca = trustme.CA() if name == "wrong-certificate" else None
            to = await stack.enter_async_context(receiver(answer, tls=server_tls(f"{name}.example", ca=ca)))
            world.webhook(name, url=to.url(f"{name}.example"))
        now = world.clock()
        messages = {name: batch(name, *ids(name), created_at=now) for name in answers}
        periods = DeliveryRules(
            retry_schedule=RetrySchedule(), health=HealthRules(), release_every=60, attempt_seconds=DEADLINE
        )
        dispatcher = replace(world._deliverer(), client=client, clock=world.clock, rules=periods)
        assert await dispatcher.deliver(messages, deadline=now + timedelta(seconds=60), prompt=False) == []
    return world


def ids(name: str) -> list[str]:
    """The ids of a webhook's deliveries."""
    return [f"{name}-{number}" for number in range(EACH)]


def test_good_webhooks_get_everything_while_the_others_still_hang() -> None:
    """No time is measured: had one good delivery waited for a hanging receiver, both would wait for ever."""
    world = asyncio.run(deliver())

    made = {one.id for kept in world.kept for one in kept.deliveries}
    waiting = {one.id for each, _ in world.later + world.slow for one in each.deliveries}
    for name in [*GOOD, *FINE]:
        assert set(ids(name)) <= made
    for name, (_, reason) in BAD.items():
        assert set(ids(name)) <= waiting - made
        assert world.health(name).last_reason.startswith(reason)
