"""Lenient access to JSON values that may be missing, null or of another type than documented.

Real SES events differ from the documentation: a null instead of a list, a boolean as a string, an unexpected object.
A field of another type reads as missing. The rest of the event is still used.
"""

import json
import re
from typing import Any

import msgspec

_BROKEN = (msgspec.DecodeError, ValueError, RecursionError)
# What SQS refuses in a message (InvalidMessageContents): all that is no character of XML 1.0.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
_REFUSED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# Where JSON may hold such a character, raw or escaped. A lone surrogate fails to decode; to find too much is harmless.
_SUSPECT = re.compile(r"[\ufffe\uffff]|\\(?:[bf]|u(?:00[01]|[fF]{3}[eEfF]))")
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class NotJSON(Exception):
    """The text is not JSON."""


def parsed(text: str) -> tuple[str, Any]:
    """The text, repaired if necessary, and its value. Raises NotJSON if it is not JSON.

    No string in the value holds a character that SQS would refuse in a delivery.
    """
    if _SUSPECT.search(text):
        return _repaired(text)
    try:
        return text, _decode(text)
    except _BROKEN:
        return _repaired(text)


def _repaired(text: str) -> tuple[str, Any]:
    """Accepts control characters in strings and halves of surrogate pairs, which SES leaves where it cuts a
    diagnostic."""
    try:
        whole = json.dumps(_replaced(json.loads(text, strict=False)), ensure_ascii=False)
        return whole, _decode(whole)
    except _BROKEN as error:
        raise NotJSON from error


def _replaced(value: object) -> object:
    """*value* with U+FFFD for each character that SQS refuses."""
    match value:
        case str():
            return _REFUSED.sub("\ufffd", value)
        case list():
            return [_replaced(inner) for inner in value]
        case dict():
            return {_REFUSED.sub("\ufffd", name): _replaced(inner) for name, inner in value.items()}
    return value


def encoded(value: object) -> str:
    """*value*, which came from JSON, as JSON again."""
    return _encode(value).decode()


def text(value: object, name: str) -> str | None:
    """The string at *name*, else None."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) else None


def number(value: object, name: str) -> int | None:
    """The whole number at *name*, else None."""
    found = value.get(name) if isinstance(value, dict) else None
    return int(found) if isinstance(found, int | float) and abs(found) < 2**53 else None


def section(value: object, name: str) -> dict[str, Any]:
    """The object at *name*, else an empty one."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def entries(value: object, name: str) -> list[Any]:
    """The list at *name*, else an empty one."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def texts(value: object, name: str) -> tuple[str, ...]:
    """The strings in the list at *name*."""
    return tuple(entry for entry in entries(value, name) if isinstance(entry, str))
