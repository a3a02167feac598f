"""Connections are made a bounded number at a time, and nobody's attempt pays for the wait."""

import asyncio
import time

from lambdas.delivery.handshakes import Handshakes


async def begun(handshakes: Handshakes, count: int, *, lasts: float, after: float) -> int:
    """How many of *count* blocks of *lasts* seconds have begun *after* seconds."""
    number = 0

    async def connect() -> None:
        nonlocal number
        async with handshakes.turn():
            number += 1
            await asyncio.sleep(lasts)

    tasks = [asyncio.create_task(connect()) for _ in range(count)]
    await asyncio.sleep(after)
    seen = number
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return seen


def test_no_more_connections_are_made_at_once_than_there_are_places() -> None:
    """While the first have not answered, the others have not begun."""
    assert asyncio.run(begun(Handshakes(3, pause=60), 10, lasts=60, after=0.01)) == 3


def test_the_next_begins_when_one_has_ended() -> None:
    """Quick receivers pass their places on at once."""
    assert asyncio.run(begun(Handshakes(3, pause=60), 10, lasts=0, after=0.05)) == 10


def test_receivers_that_hang_hold_the_others_up_for_a_moment_only() -> None:
    """Each gives its place back after the pause, once: three a pause, not more and more."""
    found = asyncio.run(begun(Handshakes(3, pause=0.2), 10, lasts=60, after=0.3))
    assert found == 6


def test_a_place_is_given_back_once_if_the_block_ends_after_its_turn() -> None:
    """Else every slow receiver would add a place."""

    async def go() -> int:
        handshakes = Handshakes(1, pause=0.05)
        async with handshakes.turn():
            await asyncio.sleep(0.1)
        return await begun(handshakes, 5, lasts=60, after=0.01)

    assert asyncio.run(go()) == 1


def test_a_process_short_of_cpu_lets_nobody_in_before_it_has_caught_up() -> None:
    """A late timer shows it: what is under way is waiting for us, not for its receivers."""

    async def go() -> int:
        handshakes = Handshakes(3, pause=0.05)
        seen = asyncio.create_task(begun(handshakes, 10, lasts=60, after=0.12))
        await asyncio.sleep(0.01)
        time.sleep(0.1)  # noqa: ASYNC251  # the loop is busy for longer than the pause
        return await seen

    assert asyncio.run(go()) == 3
