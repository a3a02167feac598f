"""Signing in with an OpenID provider: Cloud Foundry's UAA, or the operators' own."""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec

from lambdas.domain.portal import OPERATOR, SIGN_IN_CALLBACK, Grant, Right, Session
from lambdas.portal.errors import NotAllowed, NotSignedIn, Refusal, Unavailable
from lambdas.portal.http import Response, see_other
from lambdas.portal.openid import Attempt, Fetch, Provider, ProviderFailed, SignInExpired, Tokens
from lambdas.portal.ports import SessionStore
from lambdas.portal.routing import Call
from lambdas.portal.sessions import Sessions

COOKIE = "__Host-sign-in"
_ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Lax"
_SALT = "sign-in"
_PATIENCE = timedelta(minutes=10)  # for a person to type a password
CHECKED_FOR = timedelta(minutes=10)  # how long the platform's answer holds
_WHERE = re.compile(r"instances/[A-Za-z0-9\-._~]{1,50}(/(mail|webhooks|sending|setup))?")


Grants = Callable[[Tokens], dict[str, Grant]]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIdPages:
    """The two steps of a sign-in. *grants* says what the provider's claims give; it raises NotAllowed for nothing."""

    provider: Callable[[], Provider]
    sessions: Sessions
    grants: Grants
    keeps_tokens: bool

    def begin(self, call: Call) -> Response:
        """Send the browser to the provider; what we must know again travels in a signed cookie."""
        attempt = Attempt.new(_where(call.request.query.get("to", "")))
        try:
            url = self.provider().authorize_url(attempt, redirect_uri=_callback(call))
        except ProviderFailed as failed:
            raise Unavailable("The sign-in service does not answer. Try again in a minute.") from failed
        kept = self.sessions.sign(asdict(attempt), salt=_SALT, now=call.now)
        cookie = f"{COOKIE}={kept}; Max-Age={int(_PATIENCE.total_seconds())}; {_ATTRIBUTES}"
        return see_other(url, cookies=(cookie,))

    def finish(self, call: Call) -> Response:
        """Open a session for who comes back with a code."""
        kept = self.sessions.verified(call.request.cookies.get(COOKIE, ""), salt=_SALT, age=_PATIENCE, now=call.now)
        attempt = msgspec.convert(kept, Attempt) if kept else None
        if attempt is None or call.request.query.get("state") != attempt.state:
            raise Refusal("This sign-in was not begun in this browser, or too long ago. Begin again.")
        try:
            tokens = self.provider().exchange(
                call.request.query.get("code", ""), attempt, redirect_uri=_callback(call), now=call.now
            )
        except ProviderFailed as failed:
            raise NotAllowed("The sign-in service did not confirm who you are. Begin again.") from failed
        session = self.sessions.open(
            _name(tokens.claims),
            self.grants(tokens),
            now=call.now,
            tokens={"access": tokens.access, "refresh": tokens.refresh} if self.keeps_tokens else None,
        )
        removed = f"{COOKIE}=; Max-Age=0; {_ATTRIBUTES}"
        return see_other(call.request.root + attempt.to, cookies=(self.sessions.cookie(session, now=call.now), removed))


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudFoundryRights:
    """Asks the Cloud Controller what a session may do with an instance, again every ten minutes."""

    api: str
    provider: Callable[[], Provider]
    store: SessionStore
    fetch: Fetch

    def refresh(self, session: Session, instance_id: str, now: datetime) -> Session:
        """*session* with what the platform says of the instance now. A platform that does not answer grants nothing."""
        if not session.tokens:
            return session  # signed in by a link
        grant = session.grants.get(instance_id)
        if grant is not None and grant.checked_at is not None and now - grant.checked_at < CHECKED_FOR:
            return session
        try:
            permissions, tokens = self._permissions(session, instance_id)
        except SignInExpired as expired:
            raise NotSignedIn("Your sign-in at Cloud Foundry has expired.") from expired
        except ProviderFailed as failed:
            raise Unavailable("Cloud Foundry does not answer, so your rights cannot be checked. Try again.") from failed
        grants = {name: one for name, one in session.grants.items() if name != instance_id}
        if permissions.get("read") is True:
            right = Right.MANAGE if permissions.get("manage") is True else Right.READ
            grants[instance_id] = Grant(right=right, checked_at=now)
        fresh = replace(session, grants=grants, tokens=tokens)
        self.store.update_session(fresh)
        return fresh

    def _permissions(self, session: Session, instance_id: str) -> tuple[Mapping[str, Any], Mapping[str, str]]:
        tokens = dict(session.tokens)
        status, body = self._ask(instance_id, tokens["access"])
        if status == 401:
            tokens["access"], tokens["refresh"] = self.provider().renewed(tokens.get("refresh", ""))
            status, body = self._ask(instance_id, tokens["access"])
        if status in (401, 403, 404):
            return {}, tokens
        if status != 200:
            raise ProviderFailed(f"the Cloud Controller answered {status}")
        try:
            return msgspec.json.decode(body, type=dict[str, Any]), tokens
        except msgspec.DecodeError:
            raise ProviderFailed("the Cloud Controller's answer is not a JSON object") from None

    def _ask(self, instance_id: str, access: str) -> tuple[int, bytes]:
        url = f"{self.api}/v3/service_instances/{instance_id}/permissions"
        return self.fetch("GET", url, headers={"authorization": f"Bearer {access}", "accept": "application/json"})


def no_grants(_: Tokens) -> dict[str, Grant]:
    """On Cloud Foundry a session begins with none: each instance is asked for when it is opened."""
    return {}


def operators_with(claim: str, value: str) -> Grants:
    """Only a person whose *claim* is *value*, or a list that holds it, is an operator. All others are refused."""

    def grants(tokens: Tokens) -> dict[str, Grant]:
        found = tokens.claims.get(claim)
        if value not in (found if isinstance(found, list) else [found]):
            raise NotAllowed("Your account is not an operator's. Tenants: ask for a sign-in link.")
        return {OPERATOR: Grant(right=Right.MANAGE)}

    return grants


def _name(claims: Mapping[str, Any]) -> str:
    """How actions name who did them."""
    return str(claims.get("user_name") or claims.get("preferred_username") or claims.get("email") or claims["sub"])[
        :200
    ]


def _where(text: str) -> str:
    """Where a sign-in may lead: a page of an instance, else the root; never to another site."""
    return text if _WHERE.fullmatch(text) else "."


def _callback(call: Call) -> str:
    return call.request.origin + SIGN_IN_CALLBACK
