"""Rules for values of context keys, and parsing from text."""

import ipaddress
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

RETENTIONS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)


class ContextError(ValueError):
    """A context key has a wrong value. The message names the key and what would be right."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A check of a key's value, with its description for messages."""

    holds: Callable[[Any], bool]
    right: str


def matching(pattern: str, right: str) -> Rule:
    """A text, or each of a list, matches *pattern* wholly."""
    compiled = re.compile(pattern)
    return Rule(lambda value: all(compiled.fullmatch(part) for part in _parts(value)), right)


def _parts(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def between(low: float, high: float) -> Rule:
    """A number within the bounds, both included."""
    return Rule(lambda value: low <= value <= high, f"a number from {low:g} to {high:g}")


def one_of(*choices: object) -> Rule:
    """One of a few values."""
    return Rule(lambda value: value in choices, "one of " + ", ".join(map(str, choices)))


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


CIDRS = Rule(
    lambda value: all(map(_is_network, value)), "networks such as 10.0.0.0/8, comma-separated, no host bits set"
)
EMAIL = matching(r"([^@\s]+@[^@\s]+\.[^@\s]+)?", "an e-mail address, or empty")
EMAILS = matching(r"[^@\s]+@[^@\s]+\.[^@\s]+", "e-mail addresses, comma-separated")
URL = matching(r"(https://\S+)?", "a URL that begins with https://, or empty")
SECONDS = Rule(
    lambda value: bool(value) and all(seconds > 0 for seconds in value), "positive numbers of seconds, comma-separated"
)
RATE = Rule(lambda value: 0 < value < 1, "a fraction between 0 and 1, such as 0.02 for 2 %")
CONCURRENCY = between(2, 1000)  # Lambda's bounds of an event source's MaximumConcurrency


def read(name: str, kind: Any, value: object) -> Any:
    """*value* as *kind*. Values from the command line are strings, those from cdk.json are typed."""
    try:
        return _READERS[kind](value)
    except (ValueError, TypeError) as error:
        raise ContextError(f"context key {name} is {value!r}; it must be {KINDS[kind]}") from error


def _read_text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value.strip()


def _read_switch(value: object) -> bool:
    if (text := str(value).lower()) not in ("true", "false"):
        raise ValueError
    return text == "true"


def _read_list(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list | tuple):
        raise TypeError
    return tuple(text for part in value if (text := str(part).strip()))


def _read_number(value: object) -> int:
    if isinstance(value, bool) or float(str(value)) != int(float(str(value))):
        raise ValueError
    return int(float(str(value)))


_READERS: dict[Any, Callable[[object], object]] = {
    str: _read_text,
    bool: _read_switch,
    int: _read_number,
    float: lambda value: float(str(value)),
    tuple[str, ...]: _read_list,
    tuple[int, ...]: lambda value: tuple(_read_number(part) for part in _read_list(value)),
}
KINDS: dict[Any, str] = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    tuple[str, ...]: "a comma-separated list",
    tuple[int, ...]: "whole numbers, comma-separated",
}


def written(value: object) -> str:
    """*value* as one would write it on the command line."""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return json.dumps(value) if isinstance(value, bool) else str(value)
