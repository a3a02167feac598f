"""How much one caller may ask."""

import pytest

from lambdas.portal import app, handler
from lambdas.portal.http import Request, request_of
from tests.portal.world import Caller, World, event_of


def test_callers_without_a_session_are_limited_by_address(world: World) -> None:
    """So that nobody guesses, and nobody's guessing costs much; static files are free."""
    request = request_of(event_of("GET", "/instances/i1", {}, b""))
    statuses = [handler._portal().answer(request, now=world.now).status for _ in range(app.CALLS_WITHOUT_SESSION + 1)]
    assert statuses == [401] * app.CALLS_WITHOUT_SESSION + [429]
    assert Caller().get("/static/none.css").status == 404


def test_a_session_is_limited_by_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One tenant's reloading is nobody else's."""
    monkeypatch.setattr(app, "CALLS_PER_SESSION", 5)
    one, other = (_request(world.caller(world.tenant(name))) for name in ("i1", "i2"))
    statuses = [handler._portal().answer(one, now=world.now).status for _ in range(6)]
    assert statuses == [303] * 5 + [429]
    assert handler._portal().answer(other, now=world.now).status == 303


def _request(caller: Caller) -> Request:
    return request_of(event_of("GET", "/", {}, b"", cookie=caller.cookie))
