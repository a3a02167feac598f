"""Session cookies, form tokens and signed values: whose they are, how long they hold, what forges them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambdas.domain.portal import LONGEST, Grant, Link, Right, Session
from lambdas.portal.http import Request
from lambdas.portal.sessions import COOKIE, Sessions

NOW = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Lax"


@dataclass
class Store:
    """Sessions and links in memory."""

    kept: dict[str, Session] = field(default_factory=dict)
    links: dict[str, Link] = field(default_factory=dict)
    asked: list[Any] = field(default_factory=list)

    def save_session(self, session: Session) -> None:
        self.kept[session.id] = session

    def session(self, session_id: str, *, now: datetime) -> Session | None:
        self.asked.append((session_id, now))
        return self.kept.get(session_id)

    def end_session(self, session_id: str) -> None:
        del self.kept[session_id]

    def take_link(self, token: str, *, now: datetime) -> Link | None:
        self.asked.append((token, now))
        return self.links.pop(token, None)


@pytest.fixture
def store() -> Store:
    """An empty one."""
    return Store()


def sessions(store: Store, *keys: str) -> Sessions:
    return Sessions(store, lambda now: keys or ("k" * 32,))  # type: ignore[arg-type]


def request(cookie: str) -> Request:
    return Request(method="GET", path="/", cookies={COOKIE: cookie} if cookie else {})


def value(cookie: str) -> str:
    return cookie.partition("; ")[0].removeprefix(f"{COOKIE}=")


def test_a_session_is_stored_with_what_it_may_and_lasts_eight_hours_at_most(store: Store) -> None:
    """Its id is new each time, and of 24 random bytes."""
    made = sessions(store)
    grants = {"i1": Grant(right=Right.READ)}
    session = made.open("ann", grants, now=NOW, tokens={"access": "a"})
    assert session == Session(
        id=session.id, who="ann", created_at=NOW, expires_at=NOW + LONGEST, grants=grants, tokens={"access": "a"}
    )
    assert store.kept == {session.id: session}
    assert len(session.id) == 32
    other = made.open("ann", {}, now=NOW, lasts=timedelta(hours=1))
    assert (other.expires_at, other.tokens, other.id != session.id) == (NOW + timedelta(hours=1), {}, True)
    assert made.open("ann", {}, now=NOW, lasts=timedelta(hours=9)).expires_at == NOW + LONGEST


def test_a_link_opens_a_session_for_what_it_was_made(store: Store) -> None:
    """Once."""
    store.links["t-1"] = Link(instance_id="i1", right=Right.MANAGE, who="ops", session_seconds=90)
    session = sessions(store).redeem("t-1", now=NOW)
    assert session is not None
    assert (session.who, session.expires_at) == ("ops", NOW + timedelta(seconds=90))
    assert session.grants == {"i1": Grant(right=Right.MANAGE)}
    assert sessions(store).redeem("t-1", now=NOW) is None
    assert store.asked == [("t-1", NOW)] * 2


def test_a_cookie_brings_its_session_and_ends_with_it(store: Store) -> None:
    """`__Host-`, Secure, HttpOnly, SameSite=Lax."""
    made = sessions(store)
    session = made.open("ann", {}, now=NOW)
    cookie = made.cookie(session, now=NOW + timedelta(hours=1))
    assert cookie == f"__Host-session={value(cookie)}; Max-Age=25200; {ATTRIBUTES}"
    assert made.of(request(value(cookie)), now=NOW) == session
    assert store.asked == [(session.id, NOW)]
    assert made.end(session) == f"__Host-session=; Max-Age=0; {ATTRIBUTES}"
    assert made.of(request(value(cookie)), now=NOW) is None


def test_a_cookie_that_is_not_ours_costs_no_read(store: Store) -> None:
    """None at all, a forged one, one signed with another key, or for another use."""
    made = sessions(store)
    session = made.open("ann", {}, now=NOW)
    foreign = value(sessions(store, "x" * 32).cookie(session, now=NOW))
    for cookie in ("", "x", session.id, foreign, made.form_token(session, now=NOW)):
        assert made.of(request(cookie), now=NOW) is None
    assert store.asked == []


def test_what_a_release_signed_the_next_one_verifies(store: Store) -> None:
    """A deployment signs nobody out: key derivation and digest are as they were."""
    session = Session(id="s-1", who="ann", created_at=NOW, expires_at=NOW)
    assert sessions(store).form_token(session, now=NOW) == "InMtMSI.jJOGOOL5wi5l1m7IF7-7K6KtamfhpM84VmT7k-q-j70"
    assert value(sessions(store).cookie(session, now=NOW)) == "InMtMSI.oquvoUm0CQ6YK9uqS-GAc6y3HfmF69eyXppBmosZN4I"


def test_after_a_rotation_of_the_key_both_verify_and_the_new_one_signs(store: Store) -> None:
    """Keys come oldest first."""
    old, both, new = sessions(store, "a" * 32), sessions(store, "a" * 32, "b" * 32), sessions(store, "b" * 32)
    session = old.open("ann", {}, now=NOW)
    assert both.of(request(value(old.cookie(session, now=NOW))), now=NOW) == session
    assert new.of(request(value(both.cookie(session, now=NOW))), now=NOW) == session
    assert old.of(request(value(both.cookie(session, now=NOW))), now=NOW) is None


def test_a_form_token_is_of_one_session(store: Store) -> None:
    """Not of another, not forged, and no cookie."""
    made = sessions(store)
    ours, others = made.open("ann", {}, now=NOW), made.open("bob", {}, now=NOW)
    token = made.form_token(ours, now=NOW)
    assert made.is_form_token(token, ours, now=NOW)
    for wrong in (made.form_token(others, now=NOW), "", "x", ours.id, value(made.cookie(ours, now=NOW))):
        assert not made.is_form_token(wrong, ours, now=NOW)


def test_a_signed_value_holds_for_its_time_and_its_use(store: Store) -> None:
    """To the second, and not before it was made."""
    made, age = sessions(store), timedelta(minutes=10)
    text = made.sign({"to": "x"}, salt="a", now=NOW)
    for at in (NOW, NOW + age):
        assert made.verified(text, salt="a", age=age, now=at) == {"to": "x"}
    for at in (NOW - SECOND, NOW + age + SECOND):
        assert made.verified(text, salt="a", age=age, now=at) is None
    assert made.verified(text, salt="b", age=age, now=NOW) is None
    assert sessions(store, "x" * 32).verified(text, salt="a", age=age, now=NOW) is None
    for wrong in ("", "x", made.form_token(made.open("ann", {}, now=NOW), now=NOW)):
        assert made.verified(wrong, salt="a", age=age, now=NOW) is None


@pytest.mark.parametrize("signed", [5, "text", [1], [1, 2, 3], None])
def test_what_is_signed_but_no_such_value_is_none(store: Store, signed: Any) -> None:
    """A cookie of an earlier release may hold it."""
    made = sessions(store)
    text = made._serializer("a", NOW).dumps(signed)
    assert made.verified(text, salt="a", age=timedelta(minutes=10), now=NOW) is None
