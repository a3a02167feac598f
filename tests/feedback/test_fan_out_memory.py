"""The largest batch that one tenant can cause, in a process of its own: bounded memory and time, neighbours first."""

import json
import subprocess
import sys

import pytest


@pytest.mark.parametrize("shape", ["many", "large"])
def test_the_largest_batch_of_one_tenant_is_fanned_out_in_bounded_memory(shape: str) -> None:
    """6 MB of events for 20 webhooks, with ten neighbours' events. The function has 512 MB and 60 s."""
    found = subprocess.run(
        [sys.executable, "-m", "benchmarks.fan_out", shape], capture_output=True, text=True, timeout=300, check=True
    )
    figures = json.loads(found.stdout)
    assert figures["failed"] == 0
    assert figures["neighbours_first"] == 10
    assert figures["peak_mb"] < 300
    assert figures["seconds"] < 30
