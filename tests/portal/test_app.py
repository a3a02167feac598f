"""From a request to a response, on fakes: who is identified, limited and refused, and what is logged."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from lambdas.domain.portal import Grant, Needs, Right, Session
from lambdas.portal.app import CALLS_PER_SESSION, CALLS_WITHOUT_SESSION, Portal
from lambdas.portal.errors import Conflict, MethodNotAllowed, NotAllowed, NotFound, Refusal, TooManyRequests
from lambdas.portal.http import Request, Response
from lambdas.portal.routing import Call, Route, Router
from lambdas.portal.sessions import COOKIE, Sessions

NOW = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)
ORIGIN = "https://portal.agency.gov"
SESSION = Session(
    id="s-1",
    who="ann",
    created_at=NOW,
    expires_at=NOW + timedelta(hours=1),
    grants={"i1": Grant(right=Right.READ)},
)


@dataclass
class World:
    """A portal with one route of each kind, and what it does."""

    calls: list[Call] = field(default_factory=list)
    counted: list[tuple[str, timedelta, datetime]] = field(default_factory=list)
    so_far: int = 0
    refreshed: list[tuple[Session, str, datetime]] = field(default_factory=list)
    refusals: list[tuple[Session | None, Refusal, datetime]] = field(default_factory=list)
    logged: list[tuple[str, str, int, str]] = field(default_factory=list)
    raising: Exception | None = None
    known: Session | None = SESSION

    def session(self, session_id: str, *, now: datetime) -> Session | None:
        return self.known if session_id == "s-1" else None

    def count_call(self, who: str, *, window: timedelta, now: datetime) -> int:
        self.counted.append((who, window, now))
        return self.so_far + 1

    def handle(self, call: Call) -> Response:
        self.calls.append(call)
        if self.raising:
            raise self.raising
        return Response(body="page", headers={"x": "y"})

    def refresh(self, session: Session, instance: str, now: datetime) -> Session:
        self.refreshed.append((session, instance, now))
        return replace(session, who="refreshed")

    def refused(self, _: Request, session: Session | None, refusal: Refusal, now: datetime) -> Response:
        self.refusals.append((session, refusal, now))
        return Response(status=refusal.status, body=str(refusal))

    def log(self, route: str, instance: str, response: Response, fault: Exception | None) -> None:
        self.logged.append((route, instance, response.status, type(fault).__name__))

    @property
    def sessions(self) -> Sessions:
        store: Any = self
        return Sessions(store, lambda _: ["k" * 32])

    def ask(self, method: str, path: str, *, signed_in: bool = True, form: Any = None, **changes: Any) -> Response:
        cookie = self.sessions.cookie(SESSION, now=NOW).partition(";")[0].partition("=")[2]
        token = {"form_token": self.sessions.form_token(SESSION, now=NOW)} if form is None else form
        known = Request(
            method=method,
            path=path,
            cookies={COOKIE: cookie} if signed_in else {},
            body=urlencode(token).encode() if method == "POST" else b"",
            source_ip="192.0.2.1",
            origin=ORIGIN,
        )
        portal = Portal(
            router=Router(
                (
                    Route("static", "GET", "/static/{name}", Needs.NOTHING, self.handle),
                    Route("open", "GET", "/open", Needs.NOTHING, self.handle),
                    Route("use", "POST", "/open", Needs.NOTHING, self.handle),
                    Route("home", "GET", "/", Needs.SIGN_IN, self.handle),
                    Route("page", "GET", "/instances/{instance}", Needs.READ, self.handle),
                    Route("look", "POST", "/instances/{instance}", Needs.READ, self.handle),
                    Route("act", "POST", "/instances/{instance}/act", Needs.MANAGE, self.handle),
                    Route("all", "GET", "/all", Needs.OPERATOR, self.handle),
                )
            ),
            sessions=self.sessions,
            counter=self,
            refresh=self.refresh,
            refused=self.refused,
            log=self.log,
        )
        return portal.answer(replace(known, **changes), now=NOW)


@pytest.fixture
def world() -> World:
    """Nothing has been asked yet."""
    return World()


def test_a_page_is_made_for_who_may_see_it(world: World) -> None:
    """With the rights as they are now, the parts of its path, and no form."""
    answer = world.ask("GET", "/instances/i1", query={"a": "b"})
    assert answer == Response(body="page", headers={"x": "y"})
    [call] = world.calls
    assert (call.instance, call.now, call.form, call.signed_in.who) == ("i1", NOW, {}, "refreshed")
    assert call.request.query == {"a": "b"}
    assert world.refreshed == [(SESSION, "i1", NOW)]
    assert world.counted == [("s-1", timedelta(minutes=1), NOW)]
    assert world.logged == [("page", "i1", 200, "NoneType")]
    assert world.refusals == []


def test_a_page_that_needs_nobody_is_made_for_anybody(world: World) -> None:
    """Rights are asked for an instance alone."""
    world.ask("GET", "/open", signed_in=False)
    world.ask("GET", "/open")
    world.ask("GET", "/")
    assert [call.session for call in world.calls] == [None, SESSION, SESSION]
    assert world.refreshed == []


def test_files_are_served_without_a_look_at_the_session(world: World) -> None:
    """They are the same for everybody, and many."""
    world.so_far = 10_000
    assert world.ask("GET", "/static/a.css").status == 200
    assert world.counted == []
    assert world.calls[0].session is None


def test_a_head_is_a_get_without_a_body(world: World) -> None:
    """With its headers."""
    assert world.ask("HEAD", "/instances/i1") == Response(headers={"x": "y"})
    assert world.logged == [("page", "i1", 200, "NoneType")]


@pytest.mark.parametrize(
    ("method", "path", "signed_in", "status", "route", "instance"),
    [
        ("GET", "/instances/i1", False, 401, "page", "i1"),
        ("GET", "/nothing", False, 401, "unknown", ""),
        ("POST", "/", False, 401, "unknown", ""),
        ("GET", "/nothing", True, 404, "unknown", ""),
        ("POST", "/", True, 405, "unknown", ""),
        ("GET", "/instances/i2", True, 404, "page", "i2"),
        ("POST", "/instances/i1/act", True, 404, "act", "i1"),
        ("GET", "/all", True, 404, "all", ""),
    ],
)
def test_what_is_not_there_or_not_theirs_is_refused(
    world: World, method: str, path: str, signed_in: bool, status: int, route: str, instance: str
) -> None:
    """Nobody who is not signed in learns what exists; each answer is logged."""
    assert world.ask(method, path, signed_in=signed_in).status == status
    [(session, _, now)] = world.refusals
    assert (session is not None, now) == (signed_in, NOW)
    assert world.logged == [(route, instance, status, "NoneType")]
    assert world.calls == []


@pytest.mark.parametrize("error", [Conflict("no"), NotFound("no"), TooManyRequests("no"), Refusal("no")], ids=str)
def test_a_refusal_is_rendered_and_is_no_fault(world: World, error: Refusal) -> None:
    """With its status."""
    world.raising = error
    assert world.ask("GET", "/open").status == error.status
    assert world.refusals == [(SESSION, error, NOW)]
    assert world.logged == [("open", "", error.status, "NoneType")]


def test_a_fault_is_logged_and_tells_the_caller_nothing_of_it(world: World) -> None:
    """A page says that it is ours."""
    world.raising = KeyError("secret detail")
    answer = world.ask("GET", "/open")
    assert answer.status == 500
    assert "detail" not in str(answer.body)
    assert world.logged == [("open", "", 500, "KeyError")]
    assert world.refusals[0][1].title


@pytest.mark.parametrize(
    ("signed_in", "so_far", "status"),
    [
        (True, CALLS_PER_SESSION - 1, 200),
        (True, CALLS_PER_SESSION, 429),
        (False, CALLS_WITHOUT_SESSION - 1, 200),
        (False, CALLS_WITHOUT_SESSION, 429),
    ],
)
def test_callers_are_limited(world: World, signed_in: bool, so_far: int, status: int) -> None:
    """To the call."""
    world.so_far = so_far
    answer = world.ask("GET", "/open", signed_in=signed_in)
    assert answer.status == status
    if status == 429:
        assert world.refusals[0][1].headers == {"retry-after": "60"}


@pytest.mark.parametrize(
    ("address", "limit_of"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("", "unknown"),
        ("no address", "unknown"),
    ],
)
def test_callers_without_a_session_share_the_limit_of_their_network(world: World, address: str, limit_of: str) -> None:
    """A /64 is one customer's."""
    world.ask("GET", "/open", signed_in=False, source_ip=address)
    assert [who for who, *_ in world.counted] == [limit_of]


def test_a_session_that_was_ended_is_none(world: World) -> None:
    """It counts as its address."""
    world.known = None
    assert world.ask("GET", "/instances/i1").status == 401
    assert world.counted[0][0] == "192.0.2.1"


def test_a_form_is_read_with_its_token(world: World) -> None:
    """The handler has all fields."""
    token = world.sessions.form_token(SESSION, now=NOW)
    assert world.ask("POST", "/instances/i1", form={"form_token": token, "a": "b"}).status == 200
    assert world.calls[0].form == {"form_token": token, "a": "b"}


@pytest.mark.parametrize("form", [{}, {"form_token": ""}, {"form_token": "x"}])
def test_a_form_without_the_session_s_token_is_refused(world: World, form: dict[str, str]) -> None:
    """Where a session is needed; the page that signs in has none yet."""
    answer = world.ask("POST", "/instances/i1", form={**form, "a": "b"})
    assert answer.status == 403
    assert world.ask("POST", "/open", form={**form, "a": "b"}).status == 200
    assert world.ask("POST", "/open", form={**form, "a": "b"}, signed_in=False).status == 200


def test_a_form_that_cannot_be_read_is_refused_with_the_reason(world: World) -> None:
    """And is no fault."""
    answer = world.ask("POST", "/open", body=b"\xff=")
    words = "the form cannot be read; it must be application/x-www-form-urlencoded"
    assert (answer.status, answer.body) == (400, words)


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ({}, True),
        ({"origin": ORIGIN}, True),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": ""}, False),
        ({"sec-fetch-site": "same-origin", "origin": "null"}, True),
    ],
)
def test_a_form_comes_from_a_page_of_ours(world: World, headers: dict[str, str], ours: bool) -> None:
    """By what the browser says; for a GET it does not matter."""
    answer = world.ask("POST", "/instances/i1", headers=headers)
    assert answer.status == (200 if ours else 403)
    assert world.ask("GET", "/instances/i1", headers=headers).status == 200


def handle(call: Call) -> Response:
    """Not called."""
    raise AssertionError(call)


def test_a_route_s_path_names_its_parts() -> None:
    """Of OSB's unreserved characters, 1 to 128 of them."""
    one = Route("one", "GET", "/a.b/{instance}/webhooks/{webhook}", Needs.READ, handle)
    other = Route("other", "POST", "/a.b/{instance}/webhooks/{webhook}", Needs.READ, handle)
    router = Router((other, one))
    parts = {"instance": "A-z.0_~", "webhook": "x" * 128}
    assert router.find("GET", f"/a.b/A-z.0_~/webhooks/{'x' * 128}") == (one, parts)
    assert router.find("HEAD", f"/a.b/A-z.0_~/webhooks/{'x' * 128}") == (one, parts)
    assert router.find("POST", "/a.b/1/webhooks/2") == (other, {"instance": "1", "webhook": "2"})
    with pytest.raises(MethodNotAllowed):
        router.find("PUT", "/a.b/1/webhooks/2")
    for path in ("/axb/1/webhooks/2", "/a.b//webhooks/2", f"/a.b/1/webhooks/{'x' * 129}", "/a.b/1%2f/webhooks/2", ""):
        with pytest.raises(NotFound):
            router.find("GET", path)


def test_a_refusal_has_a_status_and_a_title() -> None:
    """What stands above its words."""
    assert (Refusal.status, Refusal.title, dict(Refusal.headers)) == (400, "That did not work", {})
    assert (NotAllowed.status, NotAllowed.title) == (403, "Not allowed")
    assert TooManyRequests("x", seconds=5).headers == {"retry-after": "5"}
