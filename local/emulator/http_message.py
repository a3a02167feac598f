"""Calls of AWS and their answers: requests and responses of httpx, and the ASGI applications that take them."""

import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from xml.sax.saxutils import escape

import httpx
from httpx import Response

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

ACCOUNT = "000000000000"  # the embedded AWS's account for every access key that is not an account id itself
_ORIGIN = "http://127.0.0.1"
_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/\d+/([^/]+)/([^/]+)/aws4_request")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who signed a request, for which region and service. Signatures are not verified: everything is local."""

    access_key_id: str = "test"
    region: str = "us-east-1"
    service: str = ""

    @property
    def account(self) -> str:
        """The account a key belongs to: a key of twelve digits is its own account, as in the embedded AWS."""
        return self.access_key_id if re.fullmatch(r"\d{12}", self.access_key_id) else ACCOUNT

    @property
    def authorization(self) -> str:
        """An Authorization header that names the caller to the embedded AWS."""
        scope = f"{self.access_key_id}/20260101/{self.region}/{self.service}/aws4_request"
        return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"


@dataclass(frozen=True, kw_only=True)
class Request:
    """A call of AWS. `client` is the address that it came from."""

    http: httpx.Request
    client: str = "127.0.0.1"

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.http.method

    @property
    def path(self) -> str:
        """The path, decoded, without a final slash."""
        return self.http.url.path.rstrip("/")

    @cached_property
    def caller(self) -> Caller:
        """Who calls; the default caller when the request is not signed."""
        match = _CREDENTIAL.search(self.http.headers.get("authorization", ""))
        return Caller(access_key_id=match[1], region=match[2], service=match[3]) if match else Caller()

    @cached_property
    def form(self) -> httpx.QueryParams:
        """The parameters of a query-protocol call; empty for other bodies."""
        encoded = "form-urlencoded" in self.http.headers.get("content-type", "")
        return httpx.QueryParams(self.http.content.decode() if encoded else "")

    @cached_property
    def json(self) -> dict[str, Any]:
        """The JSON object in the body; empty when there is none."""
        try:
            value = json.loads(self.http.content or b"{}")
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def members(self, name: str) -> list[str]:
        """The values of a list parameter, in order: `Name.1`, or `Name.member.1`."""
        pattern = re.compile(rf"{re.escape(name)}(?:\.member)?\.(\d+)$")
        found = ((pattern.match(key), value) for key, value in self.form.items())
        return [value for _, value in sorted((int(match[1]), value) for match, value in found if match)]

    def with_form(self, form: httpx.QueryParams) -> "Request":
        """The same query-protocol call with other parameters."""
        kept = [(name, value) for name, value in self.http.headers.multi_items() if name != "content-length"]
        url, content = self.http.url, str(form).encode()
        return replace(self, http=httpx.Request(self.http.method, url, headers=kept, content=content))


def aws_request(
    caller: Caller, method: str, path: str, *, json: object = None, form: httpx.QueryParams | None = None
) -> httpx.Request:
    """A call of *path*, which may carry a query, on behalf of *caller*: without a form it is of a REST protocol."""
    headers = {"authorization": caller.authorization}
    if form is not None:
        headers["content-type"] = "application/x-www-form-urlencoded"
        return httpx.Request(method, _ORIGIN + path, headers=headers, content=str(form))
    return httpx.Request(method, _ORIGIN + path, headers={"content-type": "application/json", **headers}, json=json)


def json_response(value: object, *, status: int = 200, error: str | None = None) -> Response:
    """A REST-JSON answer; *error* is the name of the exception botocore raises for it."""
    return Response(status, json=value, headers={"x-amzn-errortype": error} if error else {})


def json_error(name: str, message: str, *, status: int = 400) -> Response:
    """A REST-JSON error."""
    return json_response({"message": message}, status=status, error=name)


def xml_response(text: str, *, status: int = 200) -> Response:
    """An answer of the query protocols."""
    return Response(status, content=text, headers={"content-type": "text/xml"})


def query_error(code: str, message: str, *, status: int = 400) -> Response:
    """An error of the query protocol (SES v1, IAM, SNS)."""
    return xml_response(
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        "<RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>",
        status=status,
    )


def ec2_error(code: str, message: str) -> Response:
    """An error of EC2, which wraps them differently."""
    return xml_response(
        f"<Response><Errors><Error><Code>{code}</Code><Message>{escape(message)}</Message></Error></Errors>"
        "<RequestID>00000000-0000-0000-0000-000000000000</RequestID></Response>",
        status=400,
    )


async def read(scope: Scope, receive: Receive) -> Request:
    """The whole request behind an ASGI scope."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    target = scope.get("raw_path") or scope["path"].encode()
    url = httpx.URL(_ORIGIN).copy_with(raw_path=target + b"?" * bool(scope["query_string"]) + scope["query_string"])
    http = httpx.Request(scope["method"], url, headers=list(scope["headers"]), content=body)
    return Request(http=http, client=(scope.get("client") or ("127.0.0.1",))[0])


async def write(response: Response, send: Send) -> None:
    """Answer an ASGI request with a whole response."""
    kept = [(name, value) for name, value in response.headers.raw if name.lower() not in _OF_THE_BODY]
    headers = [*kept, (b"content-length", str(len(response.content)).encode())]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": response.content})


async def call(application: Application, request: httpx.Request) -> Response:
    """What *application* answers to *request*."""
    response = await httpx.ASGITransport(application).handle_async_request(request)
    await response.aread()
    return response


_OF_THE_BODY = {b"content-length", b"content-encoding", b"transfer-encoding"}  # httpx decoded the body
