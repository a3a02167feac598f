"""A pytest plugin that records which test runs which line, how long it takes, and which libraries were loaded.

Used with `-p tests.mutants.recording`; writes to the folder named by SES_FEEDBACK_RECORDING, a file a worker.
"""

import json
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from coverage import Coverage


class _Recording:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._name = uuid.uuid4().hex
        self._coverage = Coverage(
            data_file=str(folder / f"coverage.{self._name}"), source=["lambdas", "infra"], config_file=False
        )
        self._ids: dict[str, str] = {}
        self._seconds: dict[str, float] = {}
        self._failed: set[str] = set()
        self._coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._ids[item.nodeid] = without_group(item)
        self._coverage.switch_context(self._ids[item.nodeid])
        result = yield
        self._coverage.switch_context("")
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        test = self._ids[report.nodeid]
        self._seconds[test] = self._seconds.get(test, 0.0) + report.duration
        if report.failed:
            self._failed.add(test)

    def pytest_sessionfinish(self) -> None:
        self._coverage.stop()
        self._coverage.save()
        facts = {"seconds": self._seconds, "modules": sorted(sys.modules), "failed": sorted(self._failed)}
        (self._folder / f"facts.{self._name}.json").write_text(json.dumps(facts))


def without_group(item: pytest.Item) -> str:
    """The id by which pytest finds the test again: xdist appends the group that keeps it in one process."""
    groups = [f"@{marker.args[0]}" for marker in item.iter_markers("xdist_group") if marker.args]
    return item.nodeid.removesuffix(groups[0]) if groups else item.nodeid


def pytest_configure(config: pytest.Config) -> None:
    """Record in the processes that run tests: not in xdist's controller."""
    if os.environ.get("PYTEST_XDIST_WORKER") or not config.getoption("numprocesses", 0):
        config.pluginmanager.register(_Recording(Path(os.environ["SES_FEEDBACK_RECORDING"])), "recording")
