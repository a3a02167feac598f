"""OSB over HTTP: authentication, version, routes, and rendering of errors."""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from lambdas.broker.bindings.binding import Binder, BindingQueries
from lambdas.broker.bindings.unbinding import Unbinding
from lambdas.broker.instances.deprovisioning import Deprovisioning
from lambdas.broker.instances.provisioning import Provisioning
from lambdas.broker.instances.queries import InstanceQueries
from lambdas.broker.instances.updating import Updating
from lambdas.broker.osb.errors import (
    BrokerError,
    Busy,
    MethodNotAllowed,
    NoSuchRoute,
    TooLarge,
    Unauthorized,
    VersionUnsupported,
)
from lambdas.broker.osb.requests import MAX_BODY, Request, Response
from lambdas.broker.ports import Credentials
from lambdas.domain.errors import Throttled

_VERSION = re.compile(r"2\.\d{1,4}")
_INSTANCE = r"/v2/service_instances/(?P<instance>[^/]+)"
_BINDING = _INSTANCE + r"/service_bindings/(?P<binding>[^/]+)"
REQUEST_IDENTITY = "x-broker-api-request-identity"
ORIGINATING_IDENTITY = "x-broker-api-originating-identity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request on its route: the ids of its path are empty where the route has none."""

    instance: str = ""
    binding: str = ""
    body: bytes = field(repr=False)
    query: Mapping[str, str]
    now: datetime


Handle = Callable[[Call], Response]
LogAnswer = Callable[[Request, Response, Exception | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """Answers requests."""

    accept: Credentials
    provisioning: Provisioning
    updating: Updating
    deprovisioning: Deprovisioning
    instance_queries: InstanceQueries
    binder: Binder
    unbinding: Unbinding
    binding_queries: BindingQueries
    catalog: Callable[[], Mapping[str, Any]]
    log_answer: LogAnswer

    def answer(self, request: Request, *, now: datetime) -> Response:
        """Answer a request. An unexpected error becomes a 500 without details."""
        error: Exception | None = None
        try:
            answer = self._route(request, now)
        except BrokerError as refusal:
            answer, error = _rendered(refusal), refusal
        except Throttled as slow:
            answer, error = _rendered(Busy("AWS takes no more calls at the moment; try again")), slow
        except Exception as fault:  # noqa: BLE001  # told in full below; the platform gets a clean 500
            answer, error = _rendered(BrokerError("the broker failed; try again, or tell the operator")), fault
        self.log_answer(request, answer, error)
        return _with_identity(request, answer)

    def _route(self, request: Request, now: datetime) -> Response:
        self._authenticate(request, now)
        if not _VERSION.fullmatch(request.headers.get("x-broker-api-version", "")):
            raise VersionUnsupported("X-Broker-API-Version is missing or not supported: this broker speaks 2.17")
        if len(request.body) > MAX_BODY:
            raise TooLarge(f"the request's body is larger than {MAX_BODY} bytes")
        for pattern, handlers in self._routes():
            if match := pattern.fullmatch(request.path):
                if request.method not in handlers:
                    raise MethodNotAllowed(", ".join(sorted(handlers)))
                ids = {name: unquote(value) for name, value in match.groupdict().items()}
                call = Call(body=request.body, query=request.query, now=now, **ids)
                return handlers[request.method](call)
        raise NoSuchRoute("there is nothing at this path")

    def _routes(self) -> tuple[tuple[re.Pattern[str], Mapping[str, Handle]], ...]:
        return (
            (_CATALOG, {"GET": lambda _: Response(status=200, body=self.catalog())}),
            (
                _ONE_INSTANCE,
                {
                    "PUT": lambda c: self.provisioning.provision(c.instance, c.body, c.query, now=c.now),
                    "PATCH": lambda c: self.updating.update(c.instance, c.body, c.query, now=c.now),
                    "DELETE": lambda c: self.deprovisioning.deprovision(c.instance, c.query, now=c.now),
                    "GET": lambda c: self.instance_queries.fetch(c.instance),
                },
            ),
            (
                _INSTANCE_OPERATION,
                {"GET": lambda c: self.instance_queries.last_operation(c.instance, c.query, now=c.now)},
            ),
            (
                _ONE_BINDING,
                {
                    "PUT": lambda c: self.binder.bind(c.instance, c.binding, c.body, c.query, now=c.now),
                    "DELETE": lambda c: self.unbinding.unbind(c.instance, c.binding, c.query, now=c.now),
                    "GET": lambda c: self.binding_queries.fetch(c.instance, c.binding),
                },
            ),
            (_BINDING_OPERATION, {"GET": lambda c: self.binding_queries.last_operation(c.instance, c.binding)}),
        )

    def _authenticate(self, request: Request, now: datetime) -> None:
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        username, password = _decoded(encoded.strip()) if scheme.lower() == "basic" else ("", "")
        if not self.accept.accept(username, password, now=now):
            raise Unauthorized("user name or password is wrong")


_CATALOG = re.compile(r"/v2/catalog")
_ONE_INSTANCE = re.compile(_INSTANCE)
_INSTANCE_OPERATION = re.compile(_INSTANCE + "/last_operation")
_ONE_BINDING = re.compile(_BINDING)
_BINDING_OPERATION = re.compile(_BINDING + "/last_operation")


def originating_user(header: str) -> dict[str, str]:
    """Platform and user id of an X-Broker-API-Originating-Identity header, as far as they can be read."""
    platform, _, encoded = header.partition(" ")
    found = {"platform": platform[:64]} if platform else {}
    match = re.search(rb'"(?:user_id|username|uid)"\s*:\s*"([^"\\]{1,128})"', _unbased(encoded.strip()))
    return found | ({"user_id": match.group(1).decode("utf-8", "replace")} if match else {})


def _decoded(encoded: str) -> tuple[str, str]:
    username, _, password = _unbased(encoded).decode("utf-8", "surrogateescape").partition(":")
    return username, password


def _unbased(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except ValueError:
        return b""


def _rendered(error: BrokerError) -> Response:
    return Response(
        status=error.status, body={"error": error.code, "description": str(error)}, headers=dict(error.headers)
    )


def _with_identity(request: Request, answer: Response) -> Response:
    identity = request.headers.get(REQUEST_IDENTITY)
    if not identity:
        return answer
    return Response(
        status=answer.status, body=answer.body, headers={**answer.headers, "X-Broker-API-Request-Identity": identity}
    )
