"""`make demo`, as it runs in CI: no terminal, a stack of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("demo")]
ROOT = Path(__file__).resolve().parents[2]


def test_the_demo_shows_every_webhook_and_a_line_per_phase(tmp_path: Path) -> None:
    """Its output fits a screen or two: two hundred resources are deployed, and none of them is listed."""
    done = subprocess.run(
        [sys.executable, "-m", "local", "--folder", str(tmp_path), "demo"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.endswith(" ...")][:3] == [
        "starting the embedded AWS ...",
        "bootstrapping and synthesising ...",
        "deploying ...",
    ]
    assert "AWS::" not in done.stdout
    assert "\x1b" not in done.stdout
    assert len(lines) < 60
    assert sum("signature ok" in line for line in lines) == 9  # eight events and the webhook.test
    assert done.stderr.count("No Python") <= 1
