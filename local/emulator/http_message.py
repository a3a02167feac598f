"""An HTTP exchange as two values, for looking at a request before the embedded AWS sees it, and at its answer after."""

import json
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode
from xml.sax.saxutils import escape

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

ACCOUNT = "000000000000"  # the embedded AWS's account for every access key that is not an account id itself
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
    """A whole HTTP request. `scope` is ASGI's, kept for what the fields do not hold."""

    method: str
    path: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    query: str = ""
    client: str = "127.0.0.1"
    scope: Scope = field(default_factory=dict)

    @cached_property
    def caller(self) -> Caller:
        """Who calls; the default caller when the request is not signed."""
        match = _CREDENTIAL.search(self.headers.get("authorization", ""))
        return Caller(access_key_id=match[1], region=match[2], service=match[3]) if match else Caller()

    @cached_property
    def form(self) -> dict[str, str]:
        """The parameters of a query-protocol call (the first of each name); empty for other bodies."""
        if "form-urlencoded" not in self.headers.get("content-type", ""):
            return {}
        return {name: values[0] for name, values in parse_qs(self.body.decode(), keep_blank_values=True).items()}

    @cached_property
    def json(self) -> dict[str, Any]:
        """The JSON object in the body; empty when there is none."""
        try:
            value = json.loads(self.body or b"{}")
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def members(self, name: str) -> list[str]:
        """The values of a list parameter, in order: `Name.1`, or `Name.member.1`."""
        pattern = re.compile(rf"{re.escape(name)}(?:\.member)?\.(\d+)$")
        found = ((pattern.match(key), value) for key, value in self.form.items())
        return [value for _, value in sorted((int(match[1]), value) for match, value in found if match)]

    def without(self, *names: str) -> "Request":
        """The same query-protocol call without some parameters."""
        pairs = parse_qsl(self.body.decode(), keep_blank_values=True)
        return self.with_body(urlencode([(name, value) for name, value in pairs if name not in names]).encode())

    def with_body(self, body: bytes) -> "Request":
        """The same request with another body."""
        return replace(self, body=body, headers=self.headers | {"content-length": str(len(body))})


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A whole HTTP response."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the call succeeded."""
        return self.status < 300

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    def json(self) -> dict[str, Any]:
        """The JSON object in the body."""
        value: dict[str, Any] = json.loads(self.body)
        return value

    def with_body(self, body: bytes) -> "Response":
        """The same response with another body."""
        kept = [(name, value) for name, value in self.headers if name.lower() != b"content-length"]
        return replace(self, body=body, headers=(*kept, (b"content-length", str(len(body)).encode())))


def json_response(value: object, *, status: int = 200, error: str | None = None) -> Response:
    """A REST-JSON answer; *error* is the name of the exception botocore raises for it."""
    headers = [(b"content-type", b"application/json")]
    if error:
        headers.append((b"x-amzn-errortype", error.encode()))
    return Response(status=status, headers=tuple(headers)).with_body(json.dumps(value).encode())


def json_error(name: str, message: str, *, status: int = 400) -> Response:
    """A REST-JSON error."""
    return json_response({"message": message}, status=status, error=name)


def xml_response(text: str, *, status: int = 200) -> Response:
    """An answer of the query protocols."""
    return Response(status=status, headers=((b"content-type", b"text/xml"),)).with_body(text.encode())


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
    chunks = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            break
    return Request(
        method=scope["method"],
        path=scope["path"],
        body=b"".join(chunks),
        headers=_decoded(scope.get("headers", ())),
        query=scope.get("query_string", b"").decode(),
        client=(scope.get("client") or ("127.0.0.1",))[0],
        scope=scope,
    )


async def write(response: Response, send: Send) -> None:
    """Answer an ASGI request with a whole response."""
    await send({"type": "http.response.start", "status": response.status, "headers": list(response.headers)})
    await send({"type": "http.response.body", "body": response.body, "more_body": False})


async def call(application: Application, request: Request) -> Response:
    """What *application* answers to *request*."""
    status = 500
    headers: tuple[tuple[bytes, bytes], ...] = ()
    chunks: list[bytes] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": request.body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], tuple(map(tuple, message.get("headers", ())))
        else:
            chunks.append(message.get("body", b""))

    await application(_scope(request), receive, send)
    return Response(status=status, body=b"".join(chunks), headers=headers)


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}


def _scope(request: Request) -> Scope:
    changed = {
        "method": request.method,
        "path": request.path,
        "raw_path": request.scope.get("raw_path", request.path.encode()),
        "query_string": request.query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in request.headers.items()],
    }
    plain = {"type": "http", "scheme": "http", "http_version": "1.1", "client": (request.client, 0)}
    return {**plain, **request.scope, **changed}
