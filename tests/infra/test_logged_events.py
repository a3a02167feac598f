"""No function logs the event it was invoked with: events hold Basic auth, addresses and mail subjects."""

import os
import subprocess
import sys

_INVOKE = """
import contextlib, importlib
from tests.broker.test_on_moto import Context

for folder, entry in [
    ("broker", "handler"), ("broker", "worker"), ("broker", "cleanup"), ("feedback", "handler"),
    ("reputation", "handler"), ("reputation", "reconcile"), ("delivery", "handler"), ("delivery", "release"),
]:
    function = getattr(importlib.import_module(f"lambdas.{folder}.handler"), entry, None)
    if function is not None:
        with contextlib.suppress(Exception):
            function({"headers": {"authorization": "Basic canary"}, "Records": [{"body": "canary"}]}, Context())
print("invoked")
"""


def test_no_event_is_logged_even_if_the_environment_asks_for_it() -> None:
    """`POWERTOOLS_LOGGER_LOG_EVENT` is read when a module is imported, so this needs a process of its own."""
    environment = {**os.environ, "POWERTOOLS_LOGGER_LOG_EVENT": "true", "POWERTOOLS_METRICS_DISABLED": "true"}
    found = subprocess.run(
        [sys.executable, "-c", _INVOKE], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert "invoked" in found.stdout, found.stderr
    assert "canary" not in found.stdout + found.stderr
