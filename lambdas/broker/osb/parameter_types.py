"""The types of parameters. Each one writes its JSON schema for the catalog, and reads a value of untrusted JSON.

Schema and check stand side by side, so that the catalog says what the broker does. A refused value raises
BadParameter, which names the field and what would be right. A schema is of draft 4, which OSB platforms must support.

The types are msgspec structs: as dataclasses, their classes would add 6 ms to each cold start.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Protocol

from msgspec import Struct

from lambdas.broker.osb.errors import BadParameter

MAX_ITEMS = 20  # entries of any list: they fit into an IAM policy and a DNS record
MAX_ID = 50  # characters of an instance's or a binding's id
_BOOLEANS = {"true": True, "false": False}
Schema = dict[str, Any]


class ParameterType(Protocol):
    """What a parameter may be."""

    def schema(self) -> Schema:
        """Its JSON schema."""

    def read(self, value: object, field: str) -> Any:
        """The value of the parameter called *field*. Raises BadParameter."""


Parameters = Mapping[str, ParameterType]


class Guid(Struct, frozen=True):
    """The id of an instance or a binding."""

    what: str
    description: str

    def schema(self) -> Schema:
        return {"type": "string", "minLength": 1, "maxLength": MAX_ID, "description": self.description}

    def read(self, value: object, field: str) -> str:
        return text(value, field, what=f"the guid of a {self.what}", longest=MAX_ID)


class Boolean(Struct, frozen=True):
    """A boolean, or one of the strings "true" and "false"; false by default."""

    description: str

    def schema(self) -> Schema:
        return {"enum": [True, False, *_BOOLEANS], "default": False, "description": self.description}

    def read(self, value: object, field: str) -> bool:
        found = _BOOLEANS.get(value.strip().lower()) if isinstance(value, str) else value
        if not isinstance(found, bool):
            raise BadParameter(field, "must be true or false")
        return found


class WholeNumber(Struct, frozen=True, kw_only=True):
    """A whole number from *least* to *most*."""

    least: int
    most: int
    default: int
    description: str

    def schema(self) -> Schema:
        limits = {"minimum": self.least, "maximum": self.most, "default": self.default}
        return {"type": "integer", **limits, "description": self.description}

    def read(self, value: object, field: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not self.least <= value <= self.most:
            raise BadParameter(field, f"must be a whole number from {self.least} to {self.most}")
        return value


class Choice(Struct, frozen=True, kw_only=True):
    """One of *choices*."""

    choices: tuple[StrEnum, ...]
    default: StrEnum
    description: str = ""

    def schema(self) -> Schema:
        schema = {"type": "string", "enum": [choice.value for choice in self.choices], "default": self.default.value}
        return schema | ({"description": self.description} if self.description else {})

    def read(self, value: object, field: str) -> StrEnum:
        known = {choice.value: choice for choice in self.choices}
        if not isinstance(value, str) or value not in known:
            raise BadParameter(field, f"must be one of {', '.join(known)}")
        return known[value]


class Choices(Struct, frozen=True, kw_only=True):
    """A list of one or more of *choices*; it is read in the order of *choices*."""

    choices: tuple[StrEnum, ...]
    default: tuple[StrEnum, ...]

    def schema(self) -> Schema:
        items = {"type": "string", "enum": [choice.value for choice in self.choices]}
        default = [choice.value for choice in self.default]
        return {"type": "array", "items": items, "maxItems": len(self.choices), "minItems": 1, "default": default}

    def read(self, value: object, field: str) -> tuple[StrEnum, ...]:
        known = {choice.value: choice for choice in self.choices}
        remedy = f"a list of one or more of {', '.join(known)}"
        given = texts(value, field, what=remedy.removeprefix("a list of "))
        if not given or any(entry not in known for entry in given):
            raise BadParameter(field, f"must be {remedy}")
        return tuple(choice for choice in known.values() if choice.value in given)


class EndpointService(Struct, frozen=True):
    """The name of an endpoint service; a region has one."""

    offered: str
    description: str

    def schema(self) -> Schema:
        return {"type": "string", "enum": [self.offered], "description": self.description}

    def read(self, value: object, field: str) -> str:
        if value != self.offered:
            raise BadParameter(field, f"must be {self.offered}, the only one this platform reaches")
        return self.offered


def object_schema(parameters: Parameters) -> Schema:
    """The schema of an object of *parameters*, and of no others."""
    properties = {name: type_.schema() for name, type_ in parameters.items()}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def text(value: object, field: str, *, what: str, longest: int) -> str:
    """A string without control characters, not empty."""
    if not isinstance(value, str):
        raise BadParameter(field, f"must be {what}, as a string")
    if not value.strip():
        raise BadParameter(field, f"must not be empty; give {what}")
    if len(value) > longest:
        raise BadParameter(field, f"must be at most {longest} characters long")
    if any(character < " " or "\x7f" <= character < "\xa0" for character in value):
        raise BadParameter(field, "must not hold line breaks or control characters")
    return value


def texts(value: object, field: str, *, what: str) -> list[str]:
    """A list of strings."""
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise BadParameter(field, f"must be a list of {what}")
    if len(value) > MAX_ITEMS:
        raise BadParameter(field, f"must hold at most {MAX_ITEMS} entries")
    return value
