"""Every route of the router, attacked: without a session, with another tenant's, with forged and foreign forms."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lambdas.domain.portal import Needs, Right
from lambdas.domain.webhooks.health import FailedAttempt, Health, HealthState
from lambdas.portal import app, handler
from lambdas.portal.http import SECURITY_HEADERS, Request, request_of
from lambdas.portal.routing import Route
from tests.portal.world import NEVER_SHOWN, ORIGIN, Caller, World, delivery, event_of, running

_OWN: tuple[dict[str, str], ...] = ({"origin": ORIGIN}, {"sec-fetch-site": "same-origin"}, {})
XSS = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'


def _routes() -> tuple[Route, ...]:
    with running():
        return tuple(handler._portal().router.routes)


ROUTES = _routes()
PROTECTED = [route for route in ROUTES if route.needs is not Needs.NOTHING]
OF_AN_INSTANCE = [route for route in ROUTES if "{instance}" in route.path]
ACTIONS = [route for route in PROTECTED if route.method == "POST"]


def _name(route: Route) -> str:
    return route.name


def _path(route: Route, instance: str = "victim") -> str:
    parts = {"instance": instance, "webhook": "w1", "id": "x", "name": "x"}
    return re.sub(r"\{(\w+)\}", lambda match: parts[match[1]], route.path)


def _send(caller: Caller, route: Route, path: str, **form: str) -> "tuple[int, str]":
    answer = caller.post(path, form) if route.method == "POST" else caller.get(path)
    return answer.status, answer.text


@pytest.fixture(scope="module")
def attacked() -> Iterator[World]:
    """A tenant with a webhook, and another one; one world for all attacks, none of which changes anything."""
    with running() as world:
        world.tenant("victim", domain="victim.agency.gov")
        world.webhook("victim", "w1")
        world.tenant("attacker")
        yield world


@pytest.fixture
def victims(attacked: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The attacked world, without limits of requests; afterwards nothing has changed."""
    monkeypatch.setattr(app, "CALLS_PER_SESSION", 100_000)
    monkeypatch.setattr(app, "CALLS_WITHOUT_SESSION", 100_000)
    yield attacked
    assert attacked.health("victim", "w1") == Health(), "an attack changed the webhook"
    assert attacked.queued() == []
    assert attacked.queued("replays") == []


def test_the_router_is_whole() -> None:
    """A new route is attacked by the tests below without being named here; each name and path is unique."""
    assert len({route.name for route in ROUTES}) == len(ROUTES) == len({(r.method, r.path) for r in ROUTES})
    assert len(OF_AN_INSTANCE) >= 14
    assert {route.name for route in ROUTES if route.needs is Needs.NOTHING} <= {
        *("static", "link", "use link", "signed out", "sign in", "sign-in callback"),
    }


@pytest.mark.parametrize("route", PROTECTED, ids=_name)
def test_who_is_not_signed_in_gets_the_same_page_everywhere(route: Route, victims: World) -> None:
    """For an instance that exists, for one that does not, and for an address that is none."""
    pages = {
        re.sub(r'"(\.\./)*(\./)?', '"', text)
        for caller in [Caller()]
        for status, text in [
            _send(caller, route, _path(route)),
            _send(caller, route, _path(route, "nobody")),
            _send(caller, route, "/no/such/page"),
        ]
        if status == 401
    }
    assert len(pages) == 1
    assert "victim" not in pages.pop()


@pytest.mark.parametrize("route", OF_AN_INSTANCE, ids=_name)
def test_another_tenant_s_session_sees_and_does_nothing(route: Route, victims: World) -> None:
    """As if the instance were not there."""
    status, text = _send(victims.caller("attacker"), route, _path(route), reason="x", needle="user", sure="yes")
    assert status == 404
    assert "victim.agency.gov" not in text
    assert victims.table.actions("victim") == []


@pytest.mark.parametrize("route", [one for one in PROTECTED if one.needs in (Needs.OPERATOR, Needs.OPERATE)], ids=_name)
def test_a_tenant_cannot_do_what_is_the_operator_s(route: Route, victims: World) -> None:
    """Not even to its own instance."""
    status, _ = _send(victims.caller("victim"), route, _path(route), reason="x")
    assert status == 404


@pytest.mark.parametrize("route", PROTECTED, ids=_name)
def test_a_session_that_was_ended_or_has_expired_opens_no_route(route: Route, victims: World) -> None:
    """The cookie is still signed; DynamoDB removes expired items only within days."""
    ended, expired = victims.caller(), victims.caller()
    assert ended.post("/sign-out").status == 303
    portal = handler._portal()
    session = portal.sessions.of(_request(expired), now=datetime.now(UTC))
    assert session is not None
    victims.table.save_session(replace(session, expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    for caller in (ended, expired):
        assert _send(caller, route, _path(route), reason="x", needle="user", sure="yes")[0] == 401


@pytest.mark.parametrize("route", [one for one in ACTIONS if one.needs in (Needs.MANAGE, Needs.OPERATE)], ids=_name)
def test_who_may_only_read_does_nothing(route: Route, victims: World) -> None:
    """Neither a tenant's read-only session nor an operator's."""
    readers = [victims.caller("victim", right=Right.READ)]
    if route.needs is Needs.OPERATE:
        readers.append(victims.caller(right=Right.READ))
    for reader in readers:
        status, _ = _send(reader, route, _path(route), reason="x" * 50, sure="yes", hours="1")
        assert status == 404
    assert victims.table.actions("victim") == []


@pytest.mark.parametrize("route", ACTIONS, ids=_name)
def test_an_action_without_the_session_s_token_is_refused(route: Route, victims: World) -> None:
    """Missing, made up, or of another session."""
    caller, other = victims.caller(), victims.caller("attacker")
    other.get("/instances/attacker")
    for token in ("", "made-up", other._new_token()):
        answer = caller.post(_path(route), {"form_token": token, "reason": "x"}, form_token=False)
        assert answer.status == 403


@pytest.mark.parametrize("route", [one for one in ROUTES if one.method == "POST"], ids=_name)
@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ],
    ids=str,
)
def test_a_form_of_another_site_is_refused(route: Route, headers: dict[str, str], victims: World) -> None:
    """Even with a valid token, and even the one that signs in."""
    caller = victims.caller()
    caller._new_token()
    assert caller.post(_path(route), {"reason": "x"}, headers=headers).status == 403


def test_a_form_of_our_own_is_accepted_whatever_its_browser_says(victims: World) -> None:
    """Browsers name the origin, the site, both or, old ones, neither."""
    for headers in _OWN:
        assert (
            victims.caller("victim").post("/instances/victim/mail", {"needle": "nobody"}, headers=headers).status == 200
        )


@pytest.mark.parametrize("cookie", ["", "x", "a.b", "InNlc3Npb24i.AAAA", "=" * 5000, "é"])
def test_a_forged_cookie_is_nobody_s(cookie: str, victims: World) -> None:
    """It is not even looked up."""
    assert Caller(cookie=f"__Host-session={cookie}").get("/instances/victim").status == 401


def test_an_expired_session_is_nobody_s(victims: World) -> None:
    """DynamoDB removes it within days; it counts as ended at once."""
    caller = victims.caller("victim")
    portal = handler._portal()
    session = portal.sessions.of(_request(caller), now=datetime.now(UTC))
    assert session is not None
    assert portal.sessions.of(_request(caller), now=session.expires_at - timedelta(seconds=2)) is not None
    assert portal.sessions.of(_request(caller), now=session.expires_at + timedelta(seconds=2)) is None


def test_a_replayed_link_opens_nothing(victims: World) -> None:
    """The hash of a token is no token either."""
    token = victims.link("victim").rpartition("/")[2]
    assert Caller().post("/link", {"token": token}, form_token=False).status == 303
    kept = victims.dynamodb.scan(TableName="portal")["Items"]
    assert all(token not in str(item) for item in kept)
    assert Caller().post("/link", {"token": token}, form_token=False).status == 400


@pytest.mark.parametrize("route", PROTECTED, ids=_name)
def test_no_page_is_kept_framed_or_lets_scripts_in(route: Route, victims: World) -> None:
    """The headers are on every answer, refusals included."""
    caller = victims.caller()
    answer = caller.post(_path(route), form_token=False) if route.method == "POST" else caller.get(_path(route))
    assert answer.headers.items() >= SECURITY_HEADERS.items()
    assert answer.headers["cache-control"] == "no-store"
    assert "unsafe" not in SECURITY_HEADERS["content-security-policy"]
    assert not re.search(r"<script(?! src)|\son\w+=|style=|javascript:", answer.text)


@pytest.mark.parametrize("path", ["//evil.example", "/\\evil.example", "/link/..%2f..%2fevil", "/%0d%0aset-cookie:x=1"])
def test_no_redirect_leaves_the_portal(path: str, victims: World) -> None:
    """Locations are made of our own routes, never of what is asked."""
    answer = victims.caller("victim").get(path)
    assert "evil" not in answer.headers.get("location", "")
    assert answer.status == 404


def test_what_others_wrote_is_shown_as_text(victims: World) -> None:
    """Subjects, diagnostics, a receiver's answer, names and the reason of an operator."""
    victims.tenant("i1", domain="<b>x</b>.agency.gov", organization=XSS, tags={"name": XSS})
    failed = FailedAttempt(delivery=XSS, type=XSS, at=victims.now, reason=XSS, excerpt=XSS)
    health = Health(state=HealthState.FAILING, failures=3, last_reason=XSS, since=victims.now, attempts=(failed,))
    victims.webhook("i1", "w1", health=health)
    victims.bounced("i1", 1, to=f"{XSS}@x.example", message_id=XSS, reason=XSS)
    found = delivery("msg_1", to=f"{XSS}@x.example", message_id=XSS, at=victims.now)
    victims.archived("i1", "w1", found)
    caller = victims.caller()
    pages = [
        caller.get(path).text
        for path in ("/", "/instances/i1", "/instances/i1/webhooks", "/instances/i1/webhooks/w1", "/instances/i1/setup")
    ]
    pages.append(caller.post("/instances/i1/mail", {"needle": "onerror"}).text)
    pages.append(caller.post("/search", {"needle": XSS}).text)
    pages.append(caller.post("/recipients", {"needle": "onerror", "within": XSS[:5]}).text)
    pages.append(caller.post("/recipients", {"needle": "onerror"}).text)
    for page in pages:
        assert "<script>alert" not in page
        assert "<img" not in page
    assert all("&lt;script&gt;" in page for page in (pages[5], pages[6], pages[-1]))


def test_secrets_userinfo_and_paths_of_webhooks_are_nowhere(victims: World) -> None:
    """Of a URL the host is shown: path and query may hold tokens."""
    for caller in (victims.caller("victim"), victims.caller()):
        for path in ("/instances/victim/webhooks", "/instances/victim/webhooks/w1", "/"):
            text = caller.get(path).text
            for secret in ("whsec_", NEVER_SHOWN, "hunter2", "secret-path", "token=never"):
                assert secret not in text


def test_no_address_is_in_a_url_or_a_log(victims: World, caplog: pytest.LogCaptureFixture) -> None:
    """A search is posted; the log names the route; a page's address stays on its own site."""
    victims.bounced("victim", 1, to="somebody@example.net")
    for caller, path in (
        (victims.caller("victim"), "/instances/victim/mail"),
        (victims.caller(), "/recipients"),
        (victims.caller(), "/search"),
    ):
        page = caller.post(path, {"needle": "somebody@example.net"})
        assert "somebody@example.net" in page.text
        assert not re.search(r'(href|action)="[^"]*(@|somebody)', page.text)
        assert page.headers["referrer-policy"] == "same-origin"
    assert {"find mail", "find recipient", "search"} <= {vars(record).get("route") for record in caplog.records}
    assert not any("somebody" in str(vars(record)) for record in caplog.records)


def test_a_link_s_right_is_not_the_other_instance_s(victims: World) -> None:
    """Rights to one instance say nothing of another, whatever the right."""
    for right in Right:
        assert victims.caller("attacker", right=right).get("/instances/victim").status == 404


def _request(caller: Caller) -> Request:
    return request_of(event_of("GET", "/", {}, b"", cookie=caller.cookie))
