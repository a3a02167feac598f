"""JSON as it comes: lenient access to what may be missing, null or of another type than documented.

SES's documentation promises little and real events keep less: a null where a list was, a boolean as a string, an
object where nobody expected one. A field that does not fit reads as missing; it never costs the event.
"""

import json
from typing import Any

import msgspec

_BROKEN = (msgspec.DecodeError, ValueError, RecursionError)
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class NotJSON(Exception):
    """The text is not JSON."""


def parsed(text: str) -> tuple[str, Any]:
    """*text*, repaired if it must be, and the value in it; NotJSON when there is none."""
    try:
        return text, _decode(text)
    except _BROKEN:
        return _repaired(text)


def _repaired(text: str) -> tuple[str, Any]:
    """Half of a surrogate pair, as a cut diagnostic may end with, is no reason to lose a bounce."""
    try:
        whole = json.dumps(json.loads(text), ensure_ascii=False).encode(errors="replace").decode()
        return whole, _decode(whole)
    except _BROKEN as error:
        raise NotJSON from error


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
