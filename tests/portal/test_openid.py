"""OpenID Connect, request by request: what is asked of the provider, and what of its answers is believed."""

import base64
import hashlib
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import urllib3
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey

from lambdas.domain.portal import OAuthClient
from lambdas.portal import openid
from lambdas.portal.openid import Attempt, Provider, ProviderFailed, Refused, SignInExpired, Tokens, fetch

NOW = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)
ISSUER = "https://uaa.agency.gov"
CALLBACK = "https://portal.agency.gov/sign-in/callback"
KEY = ECKey.generate_key("P-256", {"kid": "k1", "alg": "ES256", "use": "sig"}, private=True)
RSA = RSAKey.generate_key(2048, {"kid": "k1"})
ATTEMPT = Attempt(state="s-1", nonce="n-1", verifier="v" * 64, to="instances/i1")
CLAIMS = {"iss": ISSUER, "aud": "portal", "exp": int(NOW.timestamp()) + 300, "nonce": "n-1", "sub": "u-1"}
METADATA = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/keys",
}
DISCOVERY = ("GET", f"{ISSUER}/.well-known/openid-configuration", {"accept": "application/json"}, None)


def signed(key: Any = KEY, algorithm: str = "ES256", **changes: Any) -> str:
    """An ID token with these claims changed; those that are None are left out."""
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}
    return jwt.encode({"alg": algorithm, "kid": "k1"}, claims, key, algorithms=[algorithm])


@dataclass
class Uaa:
    """A provider's answers, by URL, and what it was asked."""

    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    asked: list[tuple[Any, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.says("/.well-known/openid-configuration", METADATA)
        self.says("/keys", KeySet([KEY]).as_dict(private=False))
        self.gives(signed())

    def says(self, path: str, body: Any, status: int = 200) -> None:
        self.answers[ISSUER + path] = (status, body if isinstance(body, bytes) else json.dumps(body).encode())

    def gives(self, id_token: str) -> None:
        self.says("/token", {"id_token": id_token, "access_token": "a-1", "refresh_token": "r-1"})

    def __call__(self, method: str, url: str, *, headers: Any, body: bytes | None = None) -> tuple[int, bytes]:
        self.asked.append((method, url, dict(headers), body))
        return self.answers[url]


@pytest.fixture
def uaa() -> Uaa:
    """A provider that answers as it should."""
    return Uaa()


def provider(uaa: Uaa) -> Provider:
    client = OAuthClient(id="portal", secret="s3cret")
    return Provider(issuer=ISSUER, client=client, scope="openid email", fetch=uaa)


def exchanged(uaa: Uaa) -> Tokens:
    return provider(uaa).exchange("c-1", ATTEMPT, redirect_uri=CALLBACK, now=NOW)


def signed_in(uaa: Uaa) -> Tokens:
    """Both steps."""
    provider(uaa).authorize_url(ATTEMPT, redirect_uri=CALLBACK)
    return exchanged(uaa)


def test_a_sign_in_sends_the_browser_to_the_provider_with_a_challenge(uaa: Uaa) -> None:
    """RFC 6749, 4.1.1; RFC 7636, 4.3: the verifier stays here."""
    url = urlsplit(provider(uaa).authorize_url(ATTEMPT, redirect_uri=CALLBACK))
    assert f"{url.scheme}://{url.netloc}{url.path}" == f"{ISSUER}/authorize"
    challenge = base64.urlsafe_b64encode(hashlib.sha256(b"v" * 64).digest()).decode().strip("=")
    assert {name: values[0] for name, values in parse_qs(url.query, strict_parsing=True).items()} == {
        "response_type": "code",
        "client_id": "portal",
        "redirect_uri": CALLBACK,
        "scope": "openid email",
        "state": "s-1",
        "nonce": "n-1",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    assert uaa.asked == [DISCOVERY]


def test_each_attempt_has_secrets_of_its_own() -> None:
    """24 random bytes and more; RFC 7636, 4.1, asks for 43 to 128 characters of a verifier."""
    one, other = Attempt.new("instances/i1"), Attempt.new("instances/i1")
    for attempt in (one, other):
        assert attempt.to == "instances/i1"
        assert [len(secret) for secret in (attempt.state, attempt.nonce, attempt.verifier)] == [32, 32, 64]
    assert len({one.state, one.nonce, one.verifier, other.state, other.nonce, other.verifier}) == 6
    assert one.verifier not in repr(one)


def test_a_code_is_exchanged_for_verified_claims_and_tokens(uaa: Uaa) -> None:
    """By the client's password (RFC 6749, 2.3.1) and the verifier; the addresses are asked for once."""
    made = provider(uaa)
    for _ in range(2):
        tokens = made.exchange("c-1", ATTEMPT, redirect_uri=CALLBACK, now=NOW)
        assert tokens == Tokens(claims=CLAIMS, access="a-1", refresh="r-1")
        assert "a-1" not in repr(tokens)
    headers = {
        "accept": "application/json",
        "authorization": "Basic " + base64.b64encode(b"portal:s3cret").decode(),
        "content-type": "application/x-www-form-urlencoded",
    }
    (method, url, sent, form), keys = uaa.asked[1:3]
    assert (method, url, sent) == ("POST", f"{ISSUER}/token", headers)
    assert {name: values[0] for name, values in parse_qs(form.decode()).items()} == {
        "grant_type": "authorization_code",
        "code": "c-1",
        "redirect_uri": CALLBACK,
        "code_verifier": "v" * 64,
    }
    assert keys == ("GET", f"{ISSUER}/keys", {"accept": "application/json"}, None)
    assert uaa.asked.count(DISCOVERY) == 1


REFUSED = {
    "another issuer": signed(iss="https://evil.example"),
    "no issuer": signed(iss=None),
    "another audience": signed(aud="other"),
    "no audience": signed(aud=None),
    "another nonce": signed(nonce="n-2"),
    "no nonce": signed(nonce=None),
    "no end": signed(exp=None),
    "expired": signed(exp=int(NOW.timestamp()) - 61),
    "another key": signed(key=ECKey.generate_key("P-256", {"kid": "k1"}, private=True)),
    "a password as key": signed(key=OctKey.import_key("s3cret" * 8), algorithm="HS256"),
    "empty": "",
    "no token": "a.b.c",
    "no algorithm": ".".join([*(base64.urlsafe_b64encode(part).decode() for part in (b'{"alg":"none"}', b"{}")), ""]),
}


@pytest.mark.parametrize("token", REFUSED.values(), ids=REFUSED)  # keys are made anew in each process
def test_a_token_that_proves_nothing_is_refused(uaa: Uaa, token: str) -> None:
    """Another issuer, audience, nonce or key, none at all, expired, or signed with a password."""
    uaa.gives(token)
    with pytest.raises(ProviderFailed, match=r"^the ID token is not valid: \w+$"):
        exchanged(uaa)


@pytest.mark.parametrize("changes", [{"exp": int(NOW.timestamp()) - 59}, {"aud": ["other", "portal"]}, {"more": 1}])
def test_a_token_is_valid_within_a_minute_of_the_provider_s_clock(uaa: Uaa, changes: dict[str, Any]) -> None:
    """And may be for several audiences, with more claims."""
    uaa.gives(signed(**changes))
    assert exchanged(uaa).claims == CLAIMS | changes


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "EdDSA"])
def test_providers_sign_with_different_algorithms(uaa: Uaa, algorithm: str) -> None:
    """UAA with RS256; none with a key that we have, too."""
    private = OKPKey.generate_key("Ed25519", {"kid": "k1"}) if algorithm == "EdDSA" else RSA
    uaa.says("/keys", KeySet([private]).as_dict(private=False))
    uaa.gives(signed(key=private, algorithm=algorithm))
    assert exchanged(uaa).claims == CLAIMS


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"keys": None},
        {"keys": []},
        {"keys": [{"kty": "EC", "crv": "P-256", "x": "!", "y": "a"}]},
        {"keys": [{"kty": "EC", "crv": "P-1", "x": "aa", "y": "aa"}]},
    ],
)
def test_keys_that_are_malformed_verify_nothing(uaa: Uaa, keys: dict[str, Any]) -> None:
    """That is the provider's fault, and said so."""
    uaa.says("/keys", keys)
    with pytest.raises(ProviderFailed, match=r"^the ID token is not valid: \w+$"):
        exchanged(uaa)


@pytest.mark.parametrize("name", METADATA)
def test_a_provider_whose_addresses_are_not_known_cannot_be_used(uaa: Uaa, name: str) -> None:
    """The discovery document lacks one, or it is no text."""
    for value in (None, 5):
        uaa.says("/.well-known/openid-configuration", {**METADATA, name: value})
        with pytest.raises(ProviderFailed, match=rf"^the provider's discovery document names no {name}$"):
            signed_in(uaa)


def test_an_answer_without_tokens_is_no_sign_in(uaa: Uaa) -> None:
    """The ID token is what counts; the others may be left out."""
    uaa.says("/token", {})
    with pytest.raises(ProviderFailed, match=r"^the ID token is not valid: "):
        exchanged(uaa)
    uaa.says("/token", {"id_token": signed()})
    assert exchanged(uaa) == Tokens(claims=CLAIMS, access="", refresh="")


def test_a_token_is_renewed_and_the_refresh_token_may_change(uaa: Uaa) -> None:
    """RFC 6749, 6: without a new one the old one goes on."""
    uaa.says("/token", {"access_token": "a-2", "refresh_token": "r-2"})
    assert provider(uaa).renewed("r-1") == ("a-2", "r-2")
    form = parse_qs(uaa.asked[-1][3].decode())
    assert form == {"grant_type": ["refresh_token"], "refresh_token": ["r-1"]}
    uaa.says("/token", {"access_token": "a-3"})
    assert provider(uaa).renewed("r-1") == ("a-3", "r-1")
    uaa.says("/token", {})
    assert provider(uaa).renewed("r-1") == ("", "r-1")


def test_a_refresh_token_that_is_refused_or_missing_means_signing_in_again(uaa: Uaa) -> None:
    """Nothing is asked without one."""
    with pytest.raises(SignInExpired, match=r"^there is no refresh token$"):
        provider(uaa).renewed("")
    assert uaa.asked == []
    for status in (400, 401):
        uaa.says("/token", {"error": "invalid_grant"}, status)
        with pytest.raises(SignInExpired, match=f"^the provider answered {status}$"):
            provider(uaa).renewed("r-1")


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (400, b"{}", Refused, "the provider answered 400"),
        (401, b"{}", Refused, "the provider answered 401"),
        (403, b"{}", ProviderFailed, "the provider answered 403"),
        (302, b"{}", ProviderFailed, "the provider answered 302"),
        (500, b"{}", ProviderFailed, "the provider answered 500"),
        (200, b"[]", ProviderFailed, "the provider's answer is not a JSON object"),
        (200, b"<html>", ProviderFailed, "the provider's answer is not a JSON object"),
    ],
)
def test_what_the_provider_answers_else_is_named(
    uaa: Uaa, status: int, body: bytes, error: type[Exception], words: str
) -> None:
    """Never with a token in it."""
    uaa.says("/token", body, status)
    with pytest.raises(ProviderFailed, match=f"^{re.escape(words)}$") as raised:
        exchanged(uaa)
    assert raised.type is error


# -- over the network


class _Answering(BaseHTTPRequestHandler):
    """Tells what it was asked; `/elsewhere` redirects, `/large` says more than is read."""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        told = [
            self.command,
            self.path,
            self.headers.get("x-a"),
            self.rfile.read(int(self.headers["content-length"] or 0)).decode(),
        ]
        body = b"x" * 300_000 if self.path == "/large" else json.dumps(told).encode()
        if self.path == "/slow":
            time.sleep(0.3)
        self.send_response(302 if self.path == "/elsewhere" else 200)
        self.send_header("location", "/")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@contextmanager
def answering() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Answering)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_request_is_made_as_given_and_redirects_are_not_followed() -> None:
    """A redirect could lead the client's password elsewhere; an endless answer would fill the memory."""
    with answering() as url:
        status, body = fetch("POST", f"{url}/token?x=1", headers={"x-a": "b"}, body=b"form")
        assert (status, json.loads(body)) == (200, ["POST", "/token?x=1", "b", "form"])
        assert json.loads(fetch("GET", f"{url}/keys", headers={})[1]) == ["GET", "/keys", None, ""]
        assert fetch("GET", f"{url}/elsewhere", headers={})[0] == 302
        assert len(fetch("GET", f"{url}/large", headers={})[1]) == 200_000
    with pytest.raises(ProviderFailed, match=r"^the provider does not answer: \w+$"):
        fetch("GET", f"{url}/keys", headers={})


def test_a_provider_that_takes_too_long_has_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person waits for the page."""
    monkeypatch.setattr(openid, "_TIMEOUT", urllib3.Timeout(connect=3, read=0.05))
    with answering() as url, pytest.raises(ProviderFailed, match=r"^the provider does not answer: ReadTimeoutError$"):
        fetch("GET", f"{url}/slow", headers={})


def test_a_provider_is_asked_over_tls() -> None:
    """Here nobody listens."""
    with pytest.raises(ProviderFailed, match=r"^the provider does not answer: \w+$"):
        fetch("GET", "https://127.0.0.1:1/", headers={})


@pytest.mark.parametrize("url", ["http://uaa.agency.gov/", "http://127.0.0.1.evil.example/", "file:///etc/passwd", ""])
def test_nothing_is_asked_without_tls(url: str) -> None:
    """Nor of another machine in plain."""
    with pytest.raises(ProviderFailed, match=r"^the provider's address is not https$"):
        fetch("GET", url, headers={})
