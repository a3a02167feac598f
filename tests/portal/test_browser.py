"""The portal in a real browser: signing in, reading, acting, without JavaScript, and whether everybody can use it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lambdas.aws.dynamodb.webhooks.webhook_states import WebhookStates
from lambdas.domain.reputation.evaluation import SendingState
from lambdas.domain.reputation.sending_status import Cause
from lambdas.portal import handler
from tests.portal.browser import chromium, needs_chromium, violations
from tests.portal.scenes import HEALTHY, PAUSED, dns, tenants
from tests.portal.serving import served
from tests.portal.world import Context, World, running

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [needs_chromium, pytest.mark.xdist_group("chromium")]

PAGES = {
    "status": f"/instances/{PAUSED}",
    "status by hour": f"/instances/{PAUSED}?by=hour",
    "sending": f"/instances/{PAUSED}/sending",
    "mail": f"/instances/{PAUSED}/mail",
    "webhooks": f"/instances/{PAUSED}/webhooks",
    "failing webhook": f"/instances/{PAUSED}/webhooks/wh-news",
    "webhook": f"/instances/{HEALTHY}/webhooks/wh-orders",
    "set-up": f"/instances/{PAUSED}/setup",
    "operator's list": "/",
    "recipients": "/recipients",
    "signed out": "/signed-out",
    "not found": "/nothing",
}
WIDTHS = (320, 1280)


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """One Chromium for the file."""
    with chromium() as running_browser:
        yield running_browser


@pytest.fixture(scope="module")
def site() -> Iterator[tuple[World, str]]:
    """A portal with tenants, and its address."""
    with running() as world, dns(), served() as url:
        tenants(world)
        yield world, url


@pytest.fixture
def page(browser: "Browser") -> "Iterator[Page]":
    """A fresh context; a script that the policy stops, or an error, fails the test."""
    context = browser.new_context()
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda line: errors.append(line.text) if "Content Security Policy" in line.text else None)
    yield opened
    context.close()
    assert errors == []


def sign_in(page: "Page", site: tuple[World, str], instance: str = "*") -> None:
    """Open a link and press its button."""
    world, url = site
    page.goto(url + world.link(instance, now=datetime.now(UTC)))
    page.get_by_role("button", name="Sign in").click()


def test_a_tenant_signs_in_by_link_and_reads_why_it_is_paused(page: "Page", site: tuple[World, str]) -> None:
    """From the link to the evidence."""
    sign_in(page, site, PAUSED)
    assert page.url == f"{site[1]}/instances/{PAUSED}"
    assert "Paused" in page.get_by_role("heading", level=2).first.inner_text()
    assert "of mails bounced" in page.inner_text("main")
    assert page.locator("svg.chart").is_visible()
    page.get_by_text("The numbers").click()
    assert "delivered" in page.get_by_role("region", name="The numbers").inner_text().lower()
    assert "old.list@retired.example" in page.get_by_role("region", name="Table of evidence").inner_text()


def test_a_mail_is_found_with_each_event_and_outcome(page: "Page", site: tuple[World, str]) -> None:
    """In the ledger and in the archive; what waits, too."""
    sign_in(page, site, PAUSED)
    page.get_by_role("link", name="Find a mail").click()
    page.get_by_label("Recipient or message id").fill("old.list@retired.example")
    page.get_by_role("button", name="Find").click()
    found = page.get_by_role("region", name="What was found").inner_text()
    assert "counts in the rates" in found
    assert "audit.news.agency.gov: delivered" in found
    assert "retired" not in page.url
    page.get_by_label("Recipient or message id").fill("0100019a-waiting")
    page.get_by_role("button", name="Find").click()
    assert "waits until" in page.get_by_role("region", name="What was found").inner_text()
    assert "the last attempt: 503" in page.get_by_role("region", name="What was found").inner_text()


def test_a_test_s_result_appears_by_itself(page: "Page", site: tuple[World, str]) -> None:
    """The page asks again until delivery has recorded it."""
    world, _ = site
    sign_in(page, site, HEALTHY)
    page.get_by_role("link", name="Webhooks").click()
    page.get_by_role("link", name="orders.permits.agency.gov").click()
    page.get_by_role("button", name="Send a test").click()
    page.get_by_text("The test is on its way").wait_for()
    (message,) = world.queued()
    assert message["deliveries"][0]["type"] == "webhook.test"
    states = WebhookStates(world.dynamodb, "webhooks")
    target = next(target for target, _ in states.every(HEALTHY))
    states.note_test(target, status="204", now=datetime.now(UTC))
    page.get_by_text("204").wait_for()


def test_a_replay_shows_its_progress_and_its_end(page: "Page", site: tuple[World, str]) -> None:
    """The worker's steps are seen without a reload."""
    world, _ = site
    sign_in(page, site, PAUSED)
    page.goto(f"{site[1]}/instances/{PAUSED}/webhooks/wh-audit")
    page.get_by_label("All of the last").select_option("336")
    page.get_by_role("button", name="Replay").click()
    page.get_by_text("0 sent again so far").wait_for()
    (step,) = world.queued("replays")
    record = {"messageId": "1", "body": json.dumps(step)}
    assert handler.replay({"Records": [record]}, Context()) == {"batchItemFailures": []}
    page.get_by_text("Done: 1 sent again").wait_for()
    (message,) = world.queued()
    assert [one["id"] for one in message["deliveries"]] == ["msg_delivered"]


def test_a_new_secret_is_shown_once(page: "Page", site: tuple[World, str]) -> None:
    """And not on the next look at the page."""
    sign_in(page, site, PAUSED)
    path = f"{site[1]}/instances/{PAUSED}/webhooks/wh-audit"
    page.goto(path)
    page.get_by_label("I can put the new secret").check()
    page.get_by_role("button", name="Make a new secret").click()
    assert page.locator("code", has_text="whsec_").count() == 1
    page.goto(path)
    assert "whsec_" not in page.content()


def test_an_operator_sees_all_by_risk_and_finds_one(page: "Page", site: tuple[World, str]) -> None:
    """The paused first, with the webhook that fails."""
    sign_in(page, site)
    rows = page.get_by_role("region", name="Service instances").get_by_role("row").all_inner_texts()
    assert "news.agency.gov" in rows[1]
    assert "permits.agency.gov" in rows[2]
    assert "hooks.news.agency.gov" in page.get_by_role("region", name="Table of webhooks that fail").inner_text()
    page.get_by_label("Organization, domain, address or id").fill("somebody@permits.agency.gov")
    page.get_by_role("button", name="Find").click()
    assert "permits.agency.gov" in page.get_by_role("region", name="Service instances").inner_text()
    assert "news.agency.gov" not in page.get_by_role("region", name="Service instances").inner_text()


def test_an_operator_finds_a_recipient_in_all_instances(page: "Page", site: tuple[World, str]) -> None:
    """From the list, by POST; then the deliveries of the instance that mailed it."""
    sign_in(page, site)
    page.get_by_label("Organization, domain, address or id").fill("old.list@retired.example")
    page.get_by_role("button", name="Find", exact=True).click()
    page.get_by_role("button", name="Find this recipient in all instances").click()
    assert "news.agency.gov" in page.get_by_role("region", name="What was found").inner_text()
    assert "retired" not in page.url
    page.get_by_role("button", name="Find the deliveries of news.agency.gov").first.click()
    assert page.url == f"{site[1]}/instances/{PAUSED}/mail"
    assert "audit.news.agency.gov: delivered" in page.get_by_role("region", name="What was found").inner_text()


def test_everything_works_without_javascript(browser: "Browser", site: tuple[World, str]) -> None:
    """Forms and links alone: sign in, find a mail, replay, sign out."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, site, PAUSED)
    page.get_by_role("link", name="Find a mail").click()
    page.get_by_label("Recipient or message id").fill("ann@example.net")
    page.get_by_role("button", name="Find").click()
    assert "waits until" in page.inner_text("main")
    page.goto(f"{site[1]}/instances/{PAUSED}/webhooks/wh-news")
    since = datetime.now(UTC) - timedelta(days=3)
    page.get_by_label("or all since (UTC)").fill(f"{since:%Y-%m-%dT%H:%M}")
    page.get_by_role("button", name="Replay").click()
    assert f"All deliveries since {since:%d %b %Y %H:%M} UTC" in page.inner_text("main")
    assert "so far" in page.inner_text("main")
    assert page.locator('noscript meta[http-equiv="refresh"]').count() == 1 or "refresh" in page.content()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Signed out").wait_for()
    context.close()
    site[0].queued("replays")


def test_the_accessibility_checker_sees_what_is_wrong(page: "Page") -> None:
    """So that silence means something."""
    page.set_content("<p style='color:#ddd'>pale</p><img src='data:,'>")
    found = " ".join(violations(page))
    assert "image-alt" in found
    assert "color-contrast" in found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_everybody_can_use_every_page(browser: "Browser", site: tuple[World, str], width: int, scheme: Any) -> None:
    """axe-core finds no violation, on a phone and on a desk, light and dark; nothing is wider than the screen."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    sign_in(page, site)
    found: dict[str, list[str]] = {}
    for name, path in PAGES.items():
        page.goto(site[1] + path)
        found[name] = violations(page)
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if overflow > 0:
            found[name].append(f"{overflow} px wider than the screen")
    page.goto(site[1] + PAGES["mail"])
    page.get_by_label("Recipient or message id").fill("old.list@retired.example")
    page.get_by_role("button", name="Find").click()
    found["found mail"] = violations(page)
    page.goto(site[1] + PAGES["recipients"])
    page.get_by_label("Recipient or message id").fill("old.list@retired.example")
    page.get_by_role("button", name="Find").click()
    found["found recipient"] = violations(page)
    page.goto(site[1])
    page.get_by_label("Organization, domain, address or id").fill("ann@permits.agency.gov")
    page.get_by_role("button", name="Find", exact=True).click()
    found["found instance"] = violations(page)
    context.clear_cookies()
    page.goto(site[1] + "/")
    found["help"] = violations(page)
    page.goto(site[1] + site[0].link(PAUSED, now=datetime.now(UTC)))
    found["link"] = violations(page)
    context.close()
    assert {name: some for name, some in found.items() if some} == {}


STATEMENT = "We removed the list that we imported on Monday and confirmed all others."


def test_a_tenant_resumes_itself_once_and_is_on_probation(page: "Page", site: tuple[World, str]) -> None:
    """It looks at the evidence, says what it changed, and sees what follows. The last test: it adds tenants."""
    world, _ = site
    _paused(world, "resumable", domain="bulk.agency.gov")
    sign_in(page, site, "resumable")
    page.get_by_role("link", name="What to do now").click()
    assert "example.net: 60" in page.inner_text("main")
    page.get_by_role("button", name="Resume on probation").click()
    assert page.url.endswith("/sending"), "the browser asks for what is missing"
    page.get_by_label("What did you change?").fill(STATEMENT)
    page.get_by_label("I have looked at the evidence above").check()
    page.get_by_role("button", name="Resume on probation").click()
    status = page.get_by_role("region", name="Healthy").inner_text()
    assert "On probation until" in status
    assert STATEMENT in page.get_by_role("region", name="History").inner_text()
    assert violations(page) == []


@pytest.mark.parametrize(
    ("name", "paused", "words"),
    [
        ("too-early", {"hours": 23}, "You can resume 24 hours after the pause"),
        ("by-operator", {"cause": Cause.OPERATOR}, "only an operator can resume it"),
    ],
)
def test_a_pause_that_is_not_the_tenant_s_to_lift_has_no_form(
    page: "Page", site: tuple[World, str], name: str, paused: Any, words: str
) -> None:
    """The page says why, and when or by whom it can be lifted."""
    _paused(site[0], name, **paused)
    sign_in(page, site, name)
    page.get_by_role("link", name="What to do now").click()
    assert words in page.get_by_role("region", name="Resume").inner_text()
    assert page.get_by_role("button", name="Resume on probation").count() == 0


def test_a_second_resume_within_ninety_days_is_refused(page: "Page", site: tuple[World, str]) -> None:
    """Also of another instance of the same domain; the page names the day instead of showing the form."""
    world, _ = site
    for name in ("first-of-two", "second-of-two"):
        _paused(world, name, domain="twice.agency.gov")
    sign_in(page, site, "first-of-two")
    page.get_by_role("link", name="What to do now").click()
    page.get_by_label("What did you change?").fill(STATEMENT)
    page.get_by_label("I have looked at the evidence above").check()
    page.get_by_role("button", name="Resume on probation").click()
    page.get_by_role("region", name="Healthy").wait_for()
    page.context.clear_cookies()
    sign_in(page, site, "second-of-two")
    page.get_by_role("link", name="What to do now").click()
    refusal = page.get_by_role("region", name="Resume").inner_text()
    assert "twice.agency.gov was resumed by its tenant already" in refusal
    assert "ask the operator" in refusal
    assert page.get_by_role("button", name="Resume on probation").count() == 0
    assert violations(page) == []


def _paused(world: World, name: str, *, domain: str = "", hours: float = 48, cause: Cause = Cause.RATES) -> None:
    """A tenant of the organization `bulk` that was paused so many hours ago."""
    at = world.now - timedelta(hours=hours)
    world.tenant(name, domain=domain or f"{name}.agency.gov", organization="bulk")
    world.bounced(name, 60, at=at, to="user@example.net")
    world.moved(name, SendingState.PAUSED, cause=cause, at=at)
