"""Session cookies and form tokens: signed, short-lived, and worthless once the session was ended."""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from itsdangerous import BadData, URLSafeSerializer

from lambdas.domain.portal import LONGEST, Grant, Session
from lambdas.portal.http import Request
from lambdas.portal.ports import SessionStore

COOKIE = "__Host-session"  # the prefix makes browsers insist on Secure, Path=/ and no Domain
_ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Lax"
_ID_BYTES = 24
_SIGNER = {"key_derivation": "hmac", "digest_method": hashlib.sha256}


@dataclass(frozen=True, slots=True)
class Sessions:
    """Opens, finds and ends sessions. *keys* gives the signing keys, oldest first."""

    store: SessionStore
    keys: Callable[[datetime], Sequence[str]]

    def of(self, request: Request, *, now: datetime) -> Session | None:
        """The caller's session; None without a cookie of ours that is valid. A forged one costs no read."""
        cookie = request.cookies.get(COOKIE, "")
        if not cookie:
            return None
        try:
            session_id = self._serializer("session", now).loads(cookie)
        except BadData:
            return None
        return self.store.session(str(session_id), now=now)

    def redeem(self, token: str, *, now: datetime) -> Session | None:
        """The session that a one-time link opens; None if the link was used or has expired."""
        link = self.store.take_link(token, now=now)
        if link is None:
            return None
        grants = {link.instance_id: Grant(right=link.right)}
        return self.open(link.who, grants, now=now, lasts=timedelta(seconds=link.session_seconds))

    def open(
        self,
        who: str,
        grants: dict[str, Grant],
        *,
        now: datetime,
        lasts: timedelta = LONGEST,
        tokens: dict[str, str] | None = None,
    ) -> Session:
        """A new session, with an id that nobody knew before."""
        session = Session(
            id=secrets.token_urlsafe(_ID_BYTES),
            who=who,
            created_at=now,
            expires_at=now + min(lasts, LONGEST),
            grants=grants,
            tokens=tokens or {},
        )
        self.store.save_session(session)
        return session

    def cookie(self, session: Session, *, now: datetime) -> str:
        """The Set-Cookie value that brings the session to the browser."""
        lasts = int((session.expires_at - now).total_seconds())
        return f"{COOKIE}={self._serializer('session', now).dumps(session.id)}; Max-Age={lasts}; {_ATTRIBUTES}"

    def end(self, session: Session) -> str:
        """End the session everywhere; the Set-Cookie value that removes its cookie."""
        self.store.end_session(session.id)
        return f"{COOKIE}=; Max-Age=0; {_ATTRIBUTES}"

    def form_token(self, session: Session, *, now: datetime) -> str:
        """What every form of the session's pages carries."""
        return self._serializer("form", now).dumps(session.id)

    def is_form_token(self, token: str, session: Session, *, now: datetime) -> bool:
        """Whether *token* is of this session."""
        try:
            found: Any = self._serializer("form", now).loads(token)
        except BadData:
            return False
        return bool(found == session.id)

    def sign(self, value: object, *, salt: str, now: datetime) -> str:
        """*value*, signed, for a cookie or a form: readable by the browser, not changeable."""
        return self._serializer(salt, now).dumps([int(now.timestamp()), value])

    def verified(self, text: str, *, salt: str, age: timedelta, now: datetime) -> Any:
        """What `sign` was given, if that was no longer than *age* ago; else None."""
        try:
            signed_at, value = self._serializer(salt, now).loads(text)
        except (BadData, TypeError, ValueError):
            return None
        return value if signed_at <= now.timestamp() <= signed_at + age.total_seconds() else None

    def _serializer(self, salt: str, now: datetime) -> URLSafeSerializer:
        return URLSafeSerializer(list(self.keys(now)), salt=salt, signer_kwargs=_SIGNER)
