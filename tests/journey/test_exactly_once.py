"""Counters equal an independent count, though every write may be the process's last. `make faults` does more."""

import pytest

from tests.faults.reputation import run
from tests.journey.conftest import Stack

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journey")]


@pytest.mark.parametrize("seed", [1])
def test_bounces_and_complaints_count_exactly_once_and_no_webhook_is_lost(stack: Stack, seed: int) -> None:
    """A thousand events, 5 % told twice, in any order, some days late, fed by workers that die."""
    done = run(stack.clients, count=1_000, seed=seed)
    assert done.deaths > 10
    assert done.exact("bounce")
    assert done.exact("complaint")
    published, counted = done.total("delivery")
    assert counted >= published
    assert len(done.delivered) == done.published.events
