"""JSON Schema 2020-12 of the TypedDicts in lambdas/domain/webhooks/webhook_body.py."""

import types
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from lambdas.domain.webhooks.webhook_body import Timestamp

DRAFT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]

_PLAIN: dict[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    types.NoneType: {"type": "null"},
    Timestamp: {"type": "string", "format": "date-time"},
}


def schema_of(type_: Any) -> Schema:
    """The schema of *type_*. TypeError for a type that no body uses."""
    if type_ in _PLAIN:
        return dict(_PLAIN[type_])
    if is_typeddict(type_):
        return _object(type_)
    origin, arguments = get_origin(type_), get_args(type_)
    if origin is Annotated:
        return {**schema_of(arguments[0]), "description": arguments[1]}
    if origin in (NotRequired, Required):
        return schema_of(arguments[0])
    if origin is Literal:
        return {"const": arguments[0]} if len(arguments) == 1 else {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return _either([schema_of(argument) for argument in arguments])
    if origin is list:
        return {"type": "array", "items": schema_of(arguments[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": schema_of(arguments[1])}
    raise TypeError(f"no schema for {type_}")


def _object(type_: Any) -> Schema:
    hints = get_type_hints(type_, include_extras=True)
    described = {"description": " ".join(type_.__doc__.split())} if type_.__doc__ else {}
    return {
        "type": "object",
        **described,
        "properties": {name: schema_of(hint) for name, hint in hints.items()},
        "required": [name for name in hints if name in type_.__required_keys__],
    }


def _either(options: list[Schema]) -> Schema:
    """A type that may be null keeps its keywords; the `type` becomes a list."""
    first, *rest = options
    if rest == [{"type": "null"}] and isinstance(first.get("type"), str):
        return {**first, "type": [first["type"], "null"]}
    return {"anyOf": options}
