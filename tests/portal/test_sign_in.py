"""Signing in with a provider, on fakes: cookies, where it leads, and how rights at Cloud Foundry are asked for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambdas.domain.portal import OPERATOR, Grant, Right, Session
from lambdas.portal.errors import NotAllowed, NotSignedIn, Refusal, Unavailable
from lambdas.portal.http import Request, Response
from lambdas.portal.openid import Attempt, ProviderFailed, SignInExpired, Tokens
from lambdas.portal.pages.openid import (
    CHECKED_FOR,
    COOKIE,
    CloudFoundryRights,
    OpenIdPages,
    no_grants,
    operators_with,
)
from lambdas.portal.routing import Call
from lambdas.portal.sessions import Sessions

NOW = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)
ORIGIN = "https://portal.agency.gov"
CALLBACK = f"{ORIGIN}/sign-in/callback"
ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Lax"
SECOND = timedelta(seconds=1)
TOKENS = Tokens(claims={"user_name": "ann", "groups": ["staff"]}, access="a-1", refresh="r-1")


@dataclass
class World:
    """A provider, a store of sessions, and a Cloud Controller."""

    saved: list[Session] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)
    failing: Exception | None = None
    tokens: Tokens = TOKENS
    answers: list[tuple[int, bytes]] = field(default_factory=list)

    # -- the provider

    def authorize_url(self, attempt: Attempt, *, redirect_uri: str) -> str:
        self._ask("authorize", attempt, redirect_uri)
        return "https://uaa.agency.gov/authorize"

    def exchange(self, code: str, attempt: Attempt, *, redirect_uri: str, now: datetime) -> Tokens:
        self._ask("exchange", code, attempt, redirect_uri, now)
        return self.tokens

    def renewed(self, refresh: str) -> tuple[str, str]:
        self._ask("renew", refresh)
        return "a-2", "r-2"

    # -- sessions, and the Cloud Controller

    def save_session(self, session: Session) -> None:
        self.saved.append(session)

    def update_session(self, session: Session) -> None:
        self.saved.append(session)

    def fetch(self, method: str, url: str, *, headers: Mapping[str, str]) -> tuple[int, bytes]:
        self.asked.append((method, url, dict(headers)))
        return self.answers.pop(0)

    def _ask(self, *what: Any) -> None:
        self.asked.append(what)
        if self.failing:
            raise self.failing

    @property
    def sessions(self) -> Sessions:
        store: Any = self
        return Sessions(store, lambda _: ["k" * 32])

    def pages(self, *, keeps_tokens: bool = True, grants: Any = no_grants) -> OpenIdPages:
        provider: Any = self
        return OpenIdPages(provider=lambda: provider, sessions=self.sessions, grants=grants, keeps_tokens=keeps_tokens)

    @property
    def rights(self) -> CloudFoundryRights:
        parts: Any = {"provider": lambda: self, "store": self, "fetch": self.fetch}
        return CloudFoundryRights(api="https://api.agency.gov", **parts)


@pytest.fixture
def world() -> World:
    """Everything answers."""
    return World()


def call(path: str, query: Mapping[str, str], cookie: str = "", now: datetime = NOW) -> Call:
    cookies = {COOKIE: cookie} if cookie else {}
    request = Request(method="GET", path=path, query=query, cookies=cookies, origin=ORIGIN)
    return Call(request=request, session=None, now=now)


def begun(world: World, to: str = "instances/i1") -> tuple[Attempt, str, Response]:
    """What the provider was told, the cookie's value, and the answer."""
    answer = world.pages().begin(call("/sign-in", {"to": to}))
    return world.asked[0][1], answer.cookies[0].partition("; ")[0].partition("=")[2], answer


def finish(world: World, state: str, cookie: str, now: datetime = NOW, **pages: Any) -> Response:
    query = {"state": state, "code": "c-1"}
    return world.pages(**pages).finish(call("/sign-in/callback", query, cookie, now))


def test_a_sign_in_begins_with_a_cookie_that_lasts_ten_minutes(world: World) -> None:
    """It holds what must be known again, signed."""
    attempt, cookie, answer = begun(world)
    assert world.asked == [("authorize", attempt, CALLBACK)]
    assert (answer.status, answer.headers) == (303, {"location": "https://uaa.agency.gov/authorize"})
    assert answer.cookies == (f"__Host-sign-in={cookie}; Max-Age=600; {ATTRIBUTES}",)
    assert attempt.to == "instances/i1"


def test_who_comes_back_gets_a_session_and_loses_the_cookie(world: World) -> None:
    """And is where the sign-in was to lead."""
    attempt, cookie, _ = begun(world)
    world.asked.clear()
    answer = finish(world, attempt.state, cookie)
    assert world.asked == [("exchange", "c-1", attempt, CALLBACK, NOW)]
    [session] = world.saved
    assert (session.who, session.grants, session.created_at) == ("ann", {}, NOW)
    assert session.tokens == {"access": "a-1", "refresh": "r-1"}
    assert (answer.status, answer.headers) == (303, {"location": "../instances/i1"})
    assert answer.cookies == (
        world.sessions.cookie(session, now=NOW),
        f"__Host-sign-in=; Max-Age=0; {ATTRIBUTES}",
    )


def test_tokens_are_kept_only_to_ask_the_platform_with(world: World) -> None:
    """Operators' rights are their token's."""
    attempt, cookie, _ = begun(world)
    finish(world, attempt.state, cookie, keeps_tokens=False, grants=operators_with("groups", "staff"))
    assert (world.saved[0].tokens, world.saved[0].grants) == ({}, {OPERATOR: Grant(right=Right.MANAGE)})


@pytest.mark.parametrize("wrong", ["state", "no state", "cookie", "no cookie", "late"])
def test_a_callback_that_was_not_begun_here_and_now_opens_nothing(world: World, wrong: str) -> None:
    """The code is not even exchanged."""
    attempt, cookie, _ = begun(world)
    world.asked.clear()
    state = {"state": "x", "no state": ""}.get(wrong, attempt.state)
    cookie = {"cookie": "x", "no cookie": ""}.get(wrong, cookie)
    with pytest.raises(Refusal) as raised:
        finish(world, state, cookie, NOW + timedelta(minutes=10) + SECOND * (wrong == "late"))
    assert (raised.type, world.asked, world.saved) == (Refusal, [], [])


def test_a_sign_in_may_take_ten_minutes(world: World) -> None:
    """To the second."""
    attempt, cookie, _ = begun(world)
    assert finish(world, attempt.state, cookie, NOW + timedelta(minutes=10)).status == 303


def test_a_provider_that_fails_signs_nobody_in(world: World) -> None:
    """Before, and after."""
    attempt, cookie, _ = begun(world)
    world.failing = ProviderFailed("x")
    with pytest.raises(Unavailable):
        begun(world)
    with pytest.raises(NotAllowed):
        finish(world, attempt.state, cookie)
    assert world.saved == []


@pytest.mark.parametrize(
    ("to", "leads"),
    [
        ("instances/i1", "../instances/i1"),
        *(
            (f"instances/A-z.0_~/{page}", f"../instances/A-z.0_~/{page}")
            for page in ("mail", "webhooks", "sending", "setup")
        ),
        (f"instances/{'x' * 50}", f"../instances/{'x' * 50}"),
        *((to, "../.") for to in ("", "instances/", f"instances/{'x' * 51}", "instances/i1/evil", "//evil.example")),
    ],
)
def test_a_sign_in_leads_to_a_page_of_an_instance_or_to_the_root(world: World, to: str, leads: str) -> None:
    """Never elsewhere."""
    attempt, cookie, _ = begun(world, to)
    assert finish(world, attempt.state, cookie).headers == {"location": leads}


@pytest.mark.parametrize(
    ("claims", "who"),
    [
        ({"user_name": "a", "preferred_username": "b", "email": "c", "sub": "d"}, "a"),
        ({"preferred_username": "b", "email": "c", "sub": "d"}, "b"),
        ({"email": "c", "sub": "d"}, "c"),
        ({"sub": "d"}, "d"),
        ({"user_name": "", "sub": "d" * 201}, "d" * 200),
    ],
)
def test_actions_will_name_who_signed_in(world: World, claims: dict[str, str], who: str) -> None:
    """By the most telling claim."""
    world.tokens = replace(TOKENS, claims=claims)
    attempt, cookie, _ = begun(world)
    finish(world, attempt.state, cookie)
    assert world.saved[0].who == who


@pytest.mark.parametrize(
    ("claims", "operator"),
    [
        ({"groups": ["staff", "ops"]}, True),
        ({"groups": "ops"}, True),
        ({"groups": ["staff"]}, False),
        ({"groups": "opsx"}, False),
        ({"roles": ["ops"]}, False),
        ({}, False),
    ],
)
def test_operators_are_known_by_a_claim(claims: dict[str, Any], operator: bool) -> None:
    """Which is the value, or holds it."""
    grants, tokens = operators_with("groups", "ops"), replace(TOKENS, claims=claims)
    if operator:
        assert grants(tokens) == {OPERATOR: Grant(right=Right.MANAGE)}
    else:
        with pytest.raises(NotAllowed):
            grants(tokens)


# -- rights at Cloud Foundry

SESSION = Session(
    id="s-1",
    who="ann",
    created_at=NOW,
    expires_at=NOW + timedelta(hours=1),
    grants={"i2": Grant(right=Right.READ, checked_at=NOW)},
    tokens={"access": "a-1", "refresh": "r-1"},
)


def asking(access: str) -> tuple[str, str, dict[str, str]]:
    """A request for the permissions of i1."""
    url = "https://api.agency.gov/v3/service_instances/i1/permissions"
    return ("GET", url, {"authorization": f"Bearer {access}", "accept": "application/json"})


@pytest.mark.parametrize(
    ("permissions", "right"),
    [
        ({"read": True, "manage": True}, Right.MANAGE),
        ({"read": True, "manage": False}, Right.READ),
        ({"read": True}, Right.READ),
        ({"read": True, "manage": "yes"}, Right.READ),
        ({"read": False, "manage": True}, None),
        ({"read": 1}, None),
        ({}, None),
    ],
)
def test_what_the_platform_says_is_what_a_session_may(world: World, permissions: Any, right: Right | None) -> None:
    """Other instances' grants stay; the session is stored with the new ones."""
    world.answers = [(200, json.dumps(permissions).encode())]
    found = world.rights.refresh(SESSION, "i1", NOW)
    mine = {"i1": Grant(right=right, checked_at=NOW)} if right else {}
    assert found == replace(SESSION, grants={**SESSION.grants, **mine})
    assert world.saved == [found]
    assert world.asked == [asking("a-1")]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_who_may_not_see_an_instance_has_no_grant_any_more(world: World, status: int) -> None:
    """401: even with a renewed token."""
    known = replace(SESSION, grants={**SESSION.grants, "i1": Grant(right=Right.MANAGE, checked_at=NOW - CHECKED_FOR)})
    world.answers = [(status, b"{}")] * 2
    found = world.rights.refresh(known, "i1", NOW)
    renewed = {"access": "a-2", "refresh": "r-2"} if status == 401 else SESSION.tokens
    assert (found.grants, found.tokens) == (SESSION.grants, renewed)


def test_an_expired_token_is_renewed_and_the_platform_asked_again(world: World) -> None:
    """The new tokens are kept."""
    world.answers = [(401, b""), (200, b'{"read": true}')]
    found = world.rights.refresh(SESSION, "i1", NOW)
    assert world.asked == [asking("a-1"), ("renew", "r-1"), asking("a-2")]
    assert found.tokens == {"access": "a-2", "refresh": "r-2"}
    assert found.grants["i1"] == Grant(right=Right.READ, checked_at=NOW)


def test_a_platform_s_answer_holds_for_ten_minutes(world: World) -> None:
    """A session from a link is never asked for."""
    checked = replace(SESSION, grants={"i1": Grant(right=Right.READ, checked_at=NOW - CHECKED_FOR + SECOND)})
    by_link = replace(SESSION, tokens={})
    for session in (checked, by_link):
        assert world.rights.refresh(session, "i1", NOW) is session
    assert world.asked == []
    for at in (NOW - CHECKED_FOR, None):
        world.answers = [(200, b'{"read": true}')]
        old = replace(SESSION, grants={"i1": Grant(right=Right.READ, checked_at=at)})
        assert world.rights.refresh(old, "i1", NOW).grants == {"i1": Grant(right=Right.READ, checked_at=NOW)}


@pytest.mark.parametrize("answer", [(500, b"{}"), (302, b"{}"), (200, b"[]"), (200, b"<html>")])
def test_a_platform_that_does_not_answer_grants_nothing(world: World, answer: tuple[int, bytes]) -> None:
    """Nothing is stored."""
    world.answers = [answer]
    with pytest.raises(Unavailable):
        world.rights.refresh(SESSION, "i1", NOW)
    assert world.saved == []


def test_who_cannot_be_renewed_signs_in_again(world: World) -> None:
    """A session of an earlier release may have no refresh token."""
    world.answers, world.failing = [(401, b"")], SignInExpired("x")
    with pytest.raises(NotSignedIn):
        world.rights.refresh(replace(SESSION, tokens={"access": "a-1"}), "i1", NOW)
    assert world.asked == [asking("a-1"), ("renew", "")]
