"""The pipeline under injected faults: what `make faults` measures, small and without timings."""

import random
import sys

import pytest

from tests.faults.pipeline import Stage
from tests.journey.conftest import Stack

pytestmark = [
    pytest.mark.journey,
    pytest.mark.xdist_group("journey"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds the processes to kill in /proc"),
]


def test_nothing_is_lost_whatever_fails(stack: Stack) -> None:
    """Webhooks fail in four ways, a process is killed, the table throttles: every event arrives, under one id."""
    with Stage(stack.facts, random.Random(7), kills=1, each=2, visibility=8) as stage:
        run = stage.run(60, 12.0, disturbed=True)

    assert run.lost == 0
    assert len(run.ids) == 60 * 2
    assert all(len(ids) == 1 for ids in run.ids.values())
    assert run.dead == 0
