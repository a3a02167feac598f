"""OSB requests, parsed from HTTP. Unknown fields of the protocol are ignored, known ones are checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from lambdas.broker.osb.errors import BadRequest
from lambdas.domain.tenants import aws_names

MAX_BODY = 65_536  # bytes: a hundred times the largest sensible request
_TAG_VALUE = re.compile(r"[^\w .:/=+@-]")  # approximately what AWS refuses in a tag's value
MAX_TAG = 256  # characters of a tag's value
_TAGS = {
    "platform": "ses-feedback:platform",
    "organization_guid": "ses-feedback:organization-guid",
    "organization_name": "ses-feedback:organization-name",
    "space_guid": "ses-feedback:space-guid",
    "space_name": "ses-feedback:space-name",
    "instance_name": "ses-feedback:instance-name",
    "namespace": "ses-feedback:namespace",
    "clusterid": "ses-feedback:cluster-id",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An HTTP request. Header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)  # Basic auth
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An HTTP answer: `body` is rendered as JSON."""

    status: int
    body: Mapping[str, Any] = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """The service and plan that a request names; both are in the catalog."""

    service_id: str
    plan_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A request's JSON object, field by field. Errors name the field."""

    values: Mapping[str, Any] = field(repr=False)

    @classmethod
    def parse(cls, raw: bytes) -> "Body":
        """From the request's bytes."""
        try:
            values = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise BadRequest("the request's body must be JSON") from None
        if not isinstance(values, dict):
            raise BadRequest("the request's body must be a JSON object")
        return cls(values=values)

    def text(self, name: str) -> str:
        """A required string that is not empty."""
        value = self.values.get(name)
        if not isinstance(value, str) or not value:
            raise BadRequest(f"{name} is required and must be a string that is not empty")
        return value

    def optional_text(self, name: str) -> str:
        """A string that is not empty; empty if it is missing."""
        if self.values.get(name) is None and name not in self.values:
            return ""
        return self.text(name)

    def object(self, name: str) -> Mapping[str, Any]:
        """An object; empty if it is missing or null."""
        value = self.values.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise BadRequest(f"{name} must be an object")
        return value

    def offer(self, plans: Mapping[str, str]) -> Offer:
        """The service and plan named."""
        return offer(self.text("service_id"), self.text("plan_id"), plans)

    def maintenance_version(self) -> str | None:
        """The version of maintenance_info, if any."""
        info = self.object("maintenance_info")
        version = info.get("version")
        if version is not None and not isinstance(version, str):
            raise BadRequest("maintenance_info.version must be a string")
        return version

    def tags(self) -> dict[str, str]:
        """The platform's context of the instance, as tags for AWS."""
        context = self.object("context")
        found = {key: context.get(name) for name, key in _TAGS.items()}
        for name in ("organization_guid", "space_guid"):
            found[_TAGS[name]] = found[_TAGS[name]] or self.values.get(name)
        return {key: _tag(value) for key, value in found.items() if isinstance(value, str) and value.strip()}


def offer(service_id: str, plan_id: str, plans: Mapping[str, str]) -> Offer:
    """The service and plan, if the catalog has them."""
    if service_id not in plans:
        raise BadRequest("service_id is not in the catalog")
    if plans[service_id] != plan_id:
        raise BadRequest("plan_id is not one of that service's plans")
    return Offer(service_id=service_id, plan_id=plan_id)


def checked_id(value: str, what: str) -> None:
    """Raise BadRequest if the id is malformed."""
    if not aws_names.is_id(value):
        raise BadRequest(f"{what} must be 1 to 50 letters, digits, dashes, dots, underscores and tildes")


def flag(query: Mapping[str, str], name: str) -> bool:
    """A boolean of the query string; False if it is missing."""
    value = query.get(name, "false")
    if value not in ("true", "false"):
        raise BadRequest(f"{name} must be true or false")
    return value == "true"


def required_query(query: Mapping[str, str], name: str) -> str:
    """A parameter of the query string that must be there."""
    value = query.get(name, "")
    if not value:
        raise BadRequest(f"{name} is required in the query string")
    return value


def check_nested(body: Body) -> None:
    """Raise BadRequest for malformed objects that nothing else reads."""
    for name, fields in (
        ("context", ()),
        ("previous_values", ("service_id", "plan_id", "organization_id", "space_id")),
        ("bind_resource", ("app_guid", "route")),
    ):
        values = body.object(name)
        for key in fields:
            if values.get(key) is not None and not isinstance(values[key], str):
                raise BadRequest(f"{name}.{key} must be a string")


def _tag(value: str) -> str:
    return _TAG_VALUE.sub("_", value)[:MAX_TAG].strip()
