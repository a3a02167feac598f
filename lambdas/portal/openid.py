"""OpenID Connect's authorization code flow with PKCE, state and nonce: what a provider says of who signs in.

OpenID Connect Core 1.0, RFC 7636 (PKCE), RFC 9207's advice on issuers. Tokens are verified by joserfc.
"""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol
from urllib.parse import urlencode

import msgspec
import urllib3

from lambdas.domain.portal import OAuthClient

_TIMEOUT = urllib3.Timeout(connect=3, read=5)  # s: a person waits, and an HTTP API for 30 s at most
_MAX_ANSWER = 200_000  # bytes
_ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]  # never `none`, never one with a shared key
_LEEWAY = 60  # s that the provider's clock may differ


class ProviderFailed(Exception):
    """The provider refused, or answered what cannot be trusted. The message holds no token."""


class Refused(ProviderFailed):
    """The provider does not accept the request, or who makes it."""


class SignInExpired(ProviderFailed):
    """The provider renews the token no more: the user has to sign in again."""


class Fetch(Protocol):
    """Makes one HTTP request; (status, body)."""

    def __call__(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None
    ) -> tuple[int, bytes]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A sign-in under way, as it is kept in the browser's signed cookie. `to` is where it leads, from the root."""

    state: str
    nonce: str
    verifier: str = field(repr=False)
    to: str

    @classmethod
    def new(cls, to: str) -> "Attempt":
        """With secrets that nobody knows."""
        return cls(
            state=secrets.token_urlsafe(24), nonce=secrets.token_urlsafe(24), verifier=secrets.token_urlsafe(48), to=to
        )

    @property
    def challenge(self) -> str:
        """PKCE's S256 challenge."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What the provider gave: the verified claims of the ID token, and tokens to ask other services with."""

    claims: Mapping[str, Any]
    access: str = field(repr=False)
    refresh: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Provider:
    """An OpenID provider: all its addresses come from *issuer*'s discovery document."""

    issuer: str
    client: OAuthClient
    scope: str
    fetch: Fetch

    def authorize_url(self, attempt: Attempt, *, redirect_uri: str) -> str:
        """Where the browser goes to sign in."""
        parameters = {
            "response_type": "code",
            "client_id": self.client.id,
            "redirect_uri": redirect_uri,
            "scope": self.scope,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
        }
        return f"{self._endpoint('authorization_endpoint')}?{urlencode(parameters)}"

    def exchange(self, code: str, attempt: Attempt, *, redirect_uri: str, now: datetime) -> Tokens:
        """What *code* stands for. Raises ProviderFailed."""
        answer = self._token(
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": redirect_uri,
                "code_verifier": attempt.verifier,
            }
        )
        claims = self._verified(str(answer.get("id_token", "")), nonce=attempt.nonce, now=now)
        return Tokens(
            claims=claims, access=str(answer.get("access_token", "")), refresh=str(answer.get("refresh_token", ""))
        )

    def renewed(self, refresh: str) -> tuple[str, str]:
        """A new access token, and the refresh token to use next. Raises SignInExpired, ProviderFailed."""
        if not refresh:  # the Cloud Controller makes clients that get none
            raise SignInExpired("there is no refresh token")
        try:
            answer = self._token({"grant_type": "refresh_token", "refresh_token": refresh})
        except Refused as refused:
            raise SignInExpired(str(refused)) from None
        return str(answer.get("access_token", "")), str(answer.get("refresh_token", refresh))

    def _token(self, form: Mapping[str, str]) -> dict[str, Any]:
        basic = base64.b64encode(f"{self.client.id}:{self.client.secret}".encode()).decode()
        headers = {"authorization": f"Basic {basic}", "content-type": "application/x-www-form-urlencoded"}
        return self._json("POST", self._endpoint("token_endpoint"), headers, urlencode(form).encode())

    def _verified(self, token: str, *, nonce: str, now: datetime) -> Mapping[str, Any]:
        from joserfc import jwt  # here: only a sign-in needs it, and its import costs 100 ms
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        registry = jwt.JWTClaimsRegistry(
            now=int(now.timestamp()),
            leeway=_LEEWAY,
            iss={"essential": True, "value": self._endpoint("issuer")},
            aud={"essential": True, "value": self.client.id},
            exp={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            keys = KeySet.import_key_set(self._json("GET", self._endpoint("jwks_uri"), {}))  # type: ignore[arg-type]
            found = jwt.decode(token, keys, algorithms=_ALGORITHMS)
            registry.validate(found.claims)
        except (JoseError, LookupError, ValueError, TypeError) as error:  # the last three for keys that are malformed
            raise ProviderFailed(f"the ID token is not valid: {type(error).__name__}") from None
        return found.claims

    @cached_property
    def _metadata(self) -> dict[str, Any]:
        return self._json("GET", f"{self.issuer}/.well-known/openid-configuration", {})

    def _endpoint(self, name: str) -> str:
        address = self._metadata.get(name)
        if not isinstance(address, str):
            raise ProviderFailed(f"the provider's discovery document names no {name}")
        return address

    def _json(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> dict[str, Any]:
        status, content = self.fetch(method, url, headers={"accept": "application/json", **headers}, body=body)
        if status in (400, 401):  # RFC 6749, 5.2: an expired or revoked token is a bad request
            raise Refused(f"the provider answered {status}")
        if status != 200:
            raise ProviderFailed(f"the provider answered {status}")
        try:
            return msgspec.json.decode(content, type=dict[str, Any])
        except msgspec.DecodeError:
            raise ProviderFailed("the provider's answer is not a JSON object") from None


def fetch(method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None) -> tuple[int, bytes]:
    """One request over TLS (plain only to this machine), without redirects. Raises ProviderFailed."""
    if not url.startswith(("https://", "http://127.0.0.1:")):
        raise ProviderFailed("the provider's address is not https")
    try:
        with _pool().request(
            method,
            url,
            headers=dict(headers),
            body=body,
            retries=False,
            preload_content=False,  # nor redirects
        ) as answer:
            return answer.status, answer.read(_MAX_ANSWER)
    except urllib3.exceptions.HTTPError as error:
        raise ProviderFailed(f"the provider does not answer: {type(error).__name__}") from None


def _pool() -> urllib3.PoolManager:
    return urllib3.PoolManager(timeout=_TIMEOUT)
