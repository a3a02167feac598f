"""A UAA and a Cloud Controller for this machine: enough of both to sign in to the portal as a Cloud Foundry user does.

UAA: discovery, the authorization page, tokens by code with PKCE and by refresh token, and its keys. Cloud Controller:
`/v3/service_instances/:guid/permissions`. What a real UAA refuses, this one refuses: a redirect URI that is not the
client's, a code that was used, a wrong verifier, a wrong secret.
"""

import base64
import hashlib
import html
import json
import re
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from local.emulator.server import HOST

_PERMISSIONS = re.compile(r"/v3/service_instances/([^/]+)/permissions")
_LIFETIME = 600  # s of an access token, as UAA's default for users


@dataclass
class CloudFoundry:
    """Listens on 127.0.0.1; a context manager. `rights` says what the signed-in user may do with each instance."""

    client_id: str = "ses-feedback-portal"
    client_secret: str = "portal-secret"
    redirect_uri: str = ""
    user_name: str = "dana@agency.gov"
    rights: dict[str, Mapping[str, bool]] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)  # that the ID token carries beside the usual ones
    lifetime: int = _LIFETIME
    refreshes: bool = True  # whether the client gets refresh tokens
    asked: list[str] = field(default_factory=list)  # paths of the Cloud Controller

    def __enter__(self) -> Self:
        self._key = RSAKey.generate_key(2048, {"kid": "key-1", "alg": "RS256", "use": "sig"})
        self._codes: dict[str, dict[str, str]] = {}
        self._access: dict[str, float] = {}
        self._refresh: set[str] = set()
        self._server = ThreadingHTTPServer((HOST, 0), partial(_Handler, self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """The address of both."""
        return f"http://{HOST}:{self._server.server_port}"

    def register(self, catalog: Mapping[str, Any]) -> None:
        """Make the client that a broker's catalog asks for, as the Cloud Controller does: for codes alone."""
        (client,) = (service["dashboard_client"] for service in catalog["services"] if "dashboard_client" in service)
        self.client_id, self.client_secret, self.redirect_uri = client["id"], client["secret"], client["redirect_uri"]
        self.refreshes = False

    def expire_tokens(self) -> None:
        """Make every access token invalid; refresh tokens stay valid."""
        self._access.clear()

    def revoke(self) -> None:
        """Let every token be refused, as after a changed password."""
        self._access.clear()
        self._refresh.clear()

    def discovery(self) -> dict[str, Any]:
        """UAA's discovery document."""
        return {
            "issuer": f"{self.url}/oauth/token",
            "authorization_endpoint": f"{self.url}/oauth/authorize",
            "token_endpoint": f"{self.url}/oauth/token",
            "jwks_uri": f"{self.url}/token_keys",
        }

    def keys(self) -> dict[str, Any]:
        """UAA's public keys."""
        return dict(KeySet([self._key]).as_dict(private=False))

    def authorize(self, query: Mapping[str, str]) -> tuple[int, str]:
        """The page on which the user allows the sign-in."""
        if query.get("client_id") != self.client_id or query.get("redirect_uri") != self.redirect_uri:
            return 400, "The client or its redirect URI is not registered."
        hidden = '<input type="hidden" name="{}" value="{}">'
        fields = "".join(hidden.format(html.escape(name), html.escape(value)) for name, value in query.items())
        button = f"<button>Authorize {html.escape(self.user_name)}</button>"
        return 200, f"<h1>Cloud Foundry</h1><form method=post>{fields}{button}</form>"

    def allow(self, form: Mapping[str, str]) -> str:
        """The redirect after the user has allowed the sign-in."""
        code = secrets.token_urlsafe(16)
        self._codes[code] = dict(form)
        return f"{self.redirect_uri}?{urlencode({'code': code, 'state': form['state']})}"

    def token(self, form: Mapping[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """The answer of the token endpoint."""
        expected = base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        if authorization != f"Basic {expected}":
            return 401, {"error": "invalid_client"}
        if form.get("grant_type") == "refresh_token":
            return (200, self._issued(None)) if form.get("refresh_token") in self._refresh else (400, {"error": "gone"})
        asked = self._codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked is None or asked["code_challenge"] != challenge or form.get("redirect_uri") != self.redirect_uri:
            return 400, {"error": "invalid_grant"}
        return 200, self._issued(asked["nonce"])

    def permissions(self, instance_id: str, authorization: str) -> tuple[int, dict[str, Any]]:
        """The Cloud Controller's answer on the user's rights to an instance."""
        self.asked.append(instance_id)
        if self._access.get(authorization.removeprefix("Bearer "), 0) < time.time():
            return 401, {"errors": [{"title": "CF-InvalidAuthToken"}]}
        found = self.rights.get(instance_id)
        return (404, {"errors": [{"title": "CF-ResourceNotFound"}]}) if found is None else (200, dict(found))

    def _issued(self, nonce: str | None) -> dict[str, Any]:
        access, refresh = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
        self._access[access] = time.time() + self.lifetime
        answer: dict[str, Any] = {"access_token": access, "token_type": "bearer"}
        if self.refreshes:
            self._refresh.add(refresh)
            answer["refresh_token"] = refresh
        if nonce is None:
            return answer
        now = int(time.time())
        claims = {
            "iss": f"{self.url}/oauth/token",
            "aud": [self.client_id],
            "sub": "user-guid",
            "user_name": self.user_name,
            "iat": now,
            "exp": now + self.lifetime,
            "nonce": nonce,
            **self.claims,
        }
        return {**answer, "id_token": jwt.encode({"alg": "RS256", "kid": "key-1"}, claims, self._key)}


class _Handler(BaseHTTPRequestHandler):
    """Answers a request from *platform*."""

    protocol_version = "HTTP/1.1"

    def __init__(self, platform: CloudFoundry, *args: Any) -> None:
        self._platform = platform
        super().__init__(*args)

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        permissions = _PERMISSIONS.fullmatch(parts.path)
        if parts.path == "/.well-known/openid-configuration":
            self._json(200, self._platform.discovery())
        elif parts.path == "/token_keys":
            self._json(200, self._platform.keys())
        elif parts.path == "/oauth/authorize":
            status, page = self._platform.authorize(query)
            self._send(status, page.encode(), {"content-type": "text/html; charset=utf-8"})
        elif permissions:
            self._json(*self._platform.permissions(permissions[1], self.headers.get("authorization", "")))
        else:
            self._json(404, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        if urlsplit(self.path).path == "/oauth/authorize":
            self._send(303, b"", {"location": self._platform.allow(form)})
        else:
            self._json(*self._platform.token(form, self.headers.get("authorization", "")))

    def _json(self, status: int, value: Mapping[str, Any]) -> None:
        self._send(status, json.dumps(value).encode(), {"content-type": "application/json"})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""
