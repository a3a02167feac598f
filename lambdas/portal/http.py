"""Requests and responses of the HTTP API (payload version 2.0), and the headers that every page carries."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

MAX_BODY = 16_384  # bytes of a form: the longest field is a reason of 1,000 characters
_MAX_FIELDS = 20  # of a form

# `data:` images are the style sheet's own icons. Nothing is loaded from elsewhere, nothing runs inline.
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
SECURITY_HEADERS = {
    "content-security-policy": _POLICY,
    "strict-transport-security": "max-age=63072000; includeSubDomains",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    # not no-referrer: a browser then sends `Origin: null` with our own forms, which the check of origins refuses
    "referrer-policy": "same-origin",
}
_KEPT_FOREVER = "public, max-age=31536000, immutable"
HTML = "text/html; charset=utf-8"


class BadForm(ValueError):
    """A form that no page of ours sends; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. Header names are in lower case; `origin` is the portal's own, such as https://portal.agency.gov."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    source_ip: str = ""
    origin: str = ""

    def form(self) -> dict[str, str]:
        """The fields of a posted form. Raises BadForm."""
        if len(self.body) > MAX_BODY:
            raise BadForm(f"the form is larger than {MAX_BODY} bytes")
        try:
            fields = parse_qsl(
                self.body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS, strict_parsing=True
            )
        except ValueError:
            raise BadForm("the form cannot be read; it must be application/x-www-form-urlencoded") from None
        return dict(fields)

    @property
    def root(self) -> str:
        """The way from this path back to the portal's root: links stay right under any base path."""
        return "../" * (self.path.count("/") - 1) or "./"


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What is answered. `body` is text, or bytes for what is compressed."""

    status: int = 200
    body: str | bytes = field(default="", repr=False)
    content_type: str = HTML
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: tuple[str, ...] = field(default=(), repr=False)
    cacheable: bool = False


def see_other(location: str, *, cookies: tuple[str, ...] = ()) -> Response:
    """Send the browser to *location* by GET: after an action, so that a reload does not repeat it."""
    return Response(status=303, headers={"location": location}, cookies=cookies)


def request_of(event: Mapping[str, Any], *, public_url: str = "") -> Request:
    """The request in an event of the HTTP API."""
    context = event["requestContext"]
    body = event.get("body") or ""
    return Request(
        method=context["http"]["method"],
        path=event["rawPath"].removeprefix(f"/{context['stage']}"),  # of a stage with a name
        query=event.get("queryStringParameters") or {},
        headers={name.lower(): value for name, value in (event.get("headers") or {}).items()},
        cookies=_cookies(event),
        body=base64.b64decode(body) if event.get("isBase64Encoded") else body.encode("utf-8", "surrogatepass"),
        source_ip=context["http"].get("sourceIp", ""),
        origin=public_url or f"https://{context['domainName']}",
    )


def written(response: Response) -> dict[str, Any]:
    """The answer that the HTTP API takes, with the headers of every page."""
    headers = {
        **SECURITY_HEADERS,
        "content-type": response.content_type,
        "cache-control": _KEPT_FOREVER if response.cacheable else "no-store",
        **response.headers,
    }
    binary = isinstance(response.body, bytes)
    body = base64.b64encode(response.body).decode() if isinstance(response.body, bytes) else response.body
    answer: dict[str, Any] = {"statusCode": response.status, "headers": headers, "body": body}
    if response.cookies:
        answer["cookies"] = list(response.cookies)
    return {**answer, "isBase64Encoded": True} if binary else answer


def _cookies(event: Mapping[str, Any]) -> dict[str, str]:
    """By name, the first of each. API Gateway gives a list; the embedded AWS leaves them in the header."""
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    pairs = event.get("cookies") or headers.get("cookie", "").split(";")
    found: dict[str, str] = {}
    for pair in pairs:
        name, separator, value = pair.strip().partition("=")
        if separator:
            found.setdefault(name, value)
    return found
