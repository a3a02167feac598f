"""`python -m tests.portal.pictures`: the pictures of the portal in docs/pictures, of made-up tenants."""

import sys
from datetime import UTC, datetime

from infra.bundle import ROOT
from lambdas.domain.portal import OPERATOR
from tests.portal.browser import chromium, chromium_path
from tests.portal.scenes import HEALTHY, PAUSED, dns, tenants
from tests.portal.serving import served
from tests.portal.world import running

PICTURES = ROOT / "docs" / "pictures"
SHOTS = {  # name: path, width, height, scheme
    "portal-status": (f"/instances/{PAUSED}", 1000, 1180, "light"),
    "portal-status-dark": (f"/instances/{PAUSED}", 1000, 1180, "dark"),
    "portal-phone": (f"/instances/{PAUSED}", 360, 760, "light"),
    "portal-sending": (f"/instances/{PAUSED}/sending", 1000, 980, "light"),
    "portal-webhook": (f"/instances/{PAUSED}/webhooks/wh-news", 1000, 1100, "light"),
    "portal-setup": (f"/instances/{HEALTHY}/setup", 1000, 1000, "light"),
    "portal-operator": ("/", 1000, 900, "light"),
}


def main() -> int:
    """Take all pictures."""
    if chromium_path() is None:
        sys.exit("Chromium is missing: apt-get install chromium")
    with running() as world, dns(), served() as url, chromium() as browser:
        tenants(world)
        for name, (path, width, height, scheme) in SHOTS.items():
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme="dark" if scheme == "dark" else "light",
            )
            page = context.new_page()
            page.goto(url + world.link(_instance(path), now=datetime.now(UTC)))
            page.get_by_role("button", name="Sign in").click()
            page.goto(url + path)
            page.screenshot(path=PICTURES / f"{name}.png")
            context.close()
    return 0


def _instance(path: str) -> str:
    """Whose session sees the page: the tenant's on its own pages, the operator's elsewhere."""
    return path.split("/")[2] if path.startswith("/instances/") else OPERATOR


if __name__ == "__main__":
    sys.exit(main())
