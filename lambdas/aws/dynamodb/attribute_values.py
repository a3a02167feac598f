"""Converts plain values to DynamoDB's typed attributes and back, for the low-level client."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lambdas.domain import schema

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef

_SET_TYPES = {str: "SS", int: "NS", float: "NS", bytes: "BS"}


def to_item(values: Mapping[str, object]) -> "dict[str, AttributeValueTypeDef]":
    """An item of *values*; attributes that are None are left out."""
    return {name: to_attribute(value) for name, value in values.items() if value is not None}


def new_item(values: Mapping[str, object]) -> "dict[str, AttributeValueTypeDef]":
    """An item of *values* with the schema version that this release writes; attributes that are None are left out."""
    return to_item({**values, schema.ATTRIBUTE: schema.WRITES})


def from_item(item: "Mapping[str, AttributeValueTypeDef]") -> dict[str, Any]:
    """The plain values of *item*: str, bytes, bool, None, int or float, list, dict, frozenset.

    Raises NewerSchema if a later release wrote it: every item is read here.
    """
    if schema.ATTRIBUTE in item:
        schema.check(int(item[schema.ATTRIBUTE]["N"]))
    return _plain(item)


def _plain(values: "Mapping[str, AttributeValueTypeDef]") -> dict[str, Any]:
    return {name: from_attribute(value) for name, value in values.items()}


def to_attribute(value: object) -> "AttributeValueTypeDef":
    """*value* as a DynamoDB attribute. Raises TypeError for a type that DynamoDB does not have, and for an
    empty set.
    """
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int() | float():
            return {"N": repr(value) if isinstance(value, float) else str(value)}
        case bytes():
            return {"B": value}
        case Mapping():
            return {"M": {str(name): to_attribute(entry) for name, entry in value.items()}}
        case Sequence():
            return {"L": [to_attribute(entry) for entry in value]}
        case set() | frozenset() if value:
            return _to_set(value)
    raise TypeError(f"DynamoDB has no type for {type(value).__name__}")


def from_attribute(attribute: "AttributeValueTypeDef") -> Any:
    """The plain value of one attribute."""
    ((kind, value),) = attribute.items()
    match kind:
        case "N":
            return _number(str(value))
        case "NULL":
            return None
        case "M":
            return _plain(value)  # type: ignore[arg-type]
        case "L":
            return [from_attribute(entry) for entry in value]  # type: ignore[attr-defined]
        case "NS":
            return frozenset(map(_number, value))  # type: ignore[call-overload]
        case "SS" | "BS":
            return frozenset(value)  # type: ignore[call-overload]
    return value


def _to_set(values: "set[Any] | frozenset[Any]") -> "AttributeValueTypeDef":
    kind = _SET_TYPES[type(next(iter(values)))]
    return {kind: [str(value) for value in sorted(values)] if kind == "NS" else sorted(values)}  # type: ignore[misc]


def _number(text: str) -> int | float:
    return int(text) if text.lstrip("-").isdigit() else float(text)
