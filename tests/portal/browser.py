"""Debian's Chromium, headless, driven by Playwright. Without it the tests are skipped, with a line that says why."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from infra.bundle import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
_FLAGS = [
    *("--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--no-first-run", "--disable-dev-shm-usage"),
]
_LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_RULES = {"runOnly": {"type": "tag", "values": _LEVELS}}


def chromium_path() -> str | None:
    """Where Chromium is; None if this machine has none."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


needs_chromium = pytest.mark.skipif(
    chromium_path() is None and not os.environ.get("REQUIRE_CHROMIUM"),
    reason="Chromium is missing: apt-get install chromium, to test the portal in a browser",
)


@contextmanager
def chromium() -> "Iterator[Browser]":
    """A browser with a fresh profile."""
    from playwright.sync_api import sync_playwright  # here: it takes half a second

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def violations(page: Any) -> list[str]:
    """What axe-core finds wrong with a page: the rule and the elements."""
    page.evaluate(Path(AXE).read_text())  # by the debugger, which the page's policy does not bind
    found = page.evaluate("rules => axe.run(document, rules)", _RULES)
    return [
        f"{rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]
