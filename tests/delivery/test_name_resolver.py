"""Name look-ups: checked, bounded per instance, and nobody behind another's hanging name server."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from lambdas.delivery.name_resolver import NameResolver, Unreachable, system_lookup
from lambdas.domain.webhooks.address_rules import AddressRules

PUBLIC = "93.184.215.14"


class NameServers:
    """Name servers of which some hang until they are let go."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go_on = threading.Event()
        self.most = 0
        self._running = 0
        self._lock = threading.Lock()

    def __call__(self, host: str) -> Sequence[str]:
        """Answer, or hang if the host says so."""
        with self._lock:
            self.asked.append(host)
            self._running += 1
            self.most = max(self.most, self._running)
        if host.startswith("hangs"):
            self.go_on.wait(20)
        with self._lock:
            self._running -= 1
        if host == "unknown.example":
            raise OSError("no such host")
        return [PUBLIC]


def test_two_hundred_hanging_names_of_an_instance_delay_no_others() -> None:
    """An instance has two look-ups at a time; all of its other names wait, and no one else's."""

    async def go() -> None:
        servers = NameServers()
        resolver = NameResolver(AddressRules(), servers, lookups=8, per_instance=2, deadline=10)
        hanging = [asyncio.create_task(resolver.resolve("bad", f"hangs-{number}.example")) for number in range(200)]
        for number in range(20):
            assert await asyncio.wait_for(resolver.resolve(f"good-{number}", f"{number}.example"), 5) == (PUBLIC,)
        assert len([host for host in servers.asked if host.startswith("hangs")]) == 2
        await end(servers, resolver, hanging)

    asyncio.run(go())


def test_a_tenant_that_waits_for_the_same_name_as_a_hanging_one_does_not_wait_for_its_turn() -> None:
    """Nobody can put another's host into a queue of his own."""

    async def go() -> None:
        servers = NameServers()
        resolver = NameResolver(AddressRules(), servers, lookups=8, per_instance=1, deadline=10)
        hanging = [asyncio.create_task(resolver.resolve("bad", name)) for name in ("hangs.example", "app.example")]
        await asyncio.sleep(0)
        assert await asyncio.wait_for(resolver.resolve("good", "app.example"), 5) == (PUBLIC,)
        await end(servers, resolver, hanging)

    asyncio.run(go())


def test_a_name_server_that_hangs_is_given_up_but_keeps_its_place_until_its_thread_is_free() -> None:
    """Else an instance could take all threads, two at a time."""

    async def go() -> None:
        servers = NameServers()
        resolver = NameResolver(AddressRules(), servers, lookups=8, per_instance=2, deadline=0.05)
        for number in range(2):
            with pytest.raises(Unreachable, match="name server did not answer"):
                await resolver.resolve("bad", f"hangs-{number}.example")
        waiting = asyncio.create_task(resolver.resolve("bad", "third.example"))
        await asyncio.sleep(0.1)
        assert not waiting.done()  # it waits for a place: its own time has not begun, so it has not failed
        assert "third.example" not in servers.asked
        servers.go_on.set()
        assert await asyncio.wait_for(waiting, 5) == (PUBLIC,)
        await end(servers, resolver, [])

    asyncio.run(go())


def test_a_process_has_a_bound_of_look_ups_over_all_instances() -> None:
    """They are threads and sockets."""

    async def go() -> None:
        servers = NameServers()
        resolver = NameResolver(AddressRules(), servers, lookups=3, per_instance=2, deadline=10)
        hanging = [
            asyncio.create_task(resolver.resolve(f"i{number}", f"hangs-{number}.example")) for number in range(10)
        ]
        await asyncio.sleep(0.1)
        assert servers.most == 3
        await end(servers, resolver, hanging)

    asyncio.run(go())


def test_a_name_is_asked_once_for_several_attempts_and_again_after_its_time() -> None:
    """Ten seconds: a receiver that moves is followed soon."""

    async def go() -> None:
        servers = NameServers()
        resolver = NameResolver(AddressRules(), servers, kept=0.2)
        answers = await asyncio.gather(*(resolver.resolve("i1", "app.example") for _ in range(5)))
        assert answers == [(PUBLIC,)] * 5
        await resolver.resolve("i2", "app.example")
        assert servers.asked == ["app.example"]
        await asyncio.sleep(0.25)
        await resolver.resolve("i1", "app.example")
        assert servers.asked == ["app.example"] * 2
        await end(servers, resolver, [])

    asyncio.run(go())


@pytest.mark.parametrize(
    ("host", "reason"),
    [("unknown.example", "host not found"), ("10.0.0.1", "address not allowed"), ("::1", "address not allowed")],
)
def test_what_cannot_be_reached_has_a_reason(host: str, reason: str) -> None:
    """For the tenant to read."""

    async def go() -> None:
        resolver = NameResolver(AddressRules(), NameServers())
        with pytest.raises(Unreachable, match=reason):
            await resolver.resolve("i1", host)
        resolver.close()

    asyncio.run(go())


def test_a_host_without_any_address_is_not_reached() -> None:
    """No address is not the same as no forbidden one."""

    async def go() -> None:
        resolver = NameResolver(AddressRules(), lambda _: [])
        with pytest.raises(Unreachable, match="address not allowed"):
            await resolver.resolve("i1", "empty.example")
        resolver.close()

    asyncio.run(go())


def test_the_system_is_asked_for_all_addresses_once_each() -> None:
    """Of whatever family."""
    assert "127.0.0.1" in system_lookup("localhost")
    assert system_lookup("127.1") == ["127.0.0.1"]
    with pytest.raises(OSError):  # noqa: PT011
        system_lookup("no-such-host.invalid")
    with pytest.raises((OSError, UnicodeError)):
        system_lookup("a" * 300)


async def end(servers: NameServers, resolver: NameResolver, tasks: list["asyncio.Task[tuple[str, ...]]"]) -> None:
    """Let everything go that hangs."""
    servers.go_on.set()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    resolver.close()
    await asyncio.sleep(0.05)


def test_a_name_that_cannot_be_written_for_dns_is_not_found() -> None:
    """Python refuses a label of more than 63 characters before it asks."""

    def refuse(_: str) -> Sequence[str]:
        raise UnicodeError("label too long")

    async def go() -> None:
        resolver = NameResolver(AddressRules(), refuse)
        with pytest.raises(Unreachable, match="host not found"):
            await resolver.resolve("i1", "app.example")
        resolver.close()
        with pytest.raises(RuntimeError):
            resolver._threads.submit(print)

    asyncio.run(go())


def test_a_process_keeps_a_bounded_number_of_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """It lives for hours, and tenants choose the names."""
    monkeypatch.setattr("lambdas.delivery.name_resolver._MAX_KEPT", 2)

    async def go() -> None:
        servers = NameServers()
        resolver = NameResolver(AddressRules(), servers)
        for name in ("a.example", "b.example", "c.example", "c.example", "a.example"):
            await resolver.resolve("i1", name)
        assert servers.asked == ["a.example", "b.example", "c.example", "a.example"]
        resolver.close()

    asyncio.run(go())
