"""An object graph as text: what each object is made of, down to clients, names and settings.

Held against a transcript, it shows that everything is connected as it was: which table an adapter reads, which limit
a rate limiter has, what is shared.
"""

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import timedelta
from enum import Enum
from functools import partial
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Client:
    """In place of boto3's client of a service."""

    service: str


class Clients:
    """lambdas.aws.clients, without boto3."""

    def client(self, service: str) -> Client:
        """Its name is all there is of it."""
        return Client(service)


def graph(**roots: Any) -> str:
    """The *roots* and what they hold. What several hold stands where it is met first."""
    described = _Described()
    return yaml.safe_dump({name: described.of(root) for name, root in roots.items()}, sort_keys=False, width=160)


class _Described:
    def __init__(self) -> None:
        self._seen: dict[int, str] = {}
        self._kept: list[Any] = []  # so that no id is used twice

    def of(self, value: Any) -> Any:
        match value:
            case None | bool() | int() | float() | str():
                return value.value if isinstance(value, Enum) else value
            case Client():
                return f"client of {value.service}"
            case timedelta() | IPv4Network() | re.Pattern():
                return str(value)
            case Path():
                return value.name
            case Mapping():
                return {str(key): self.of(each) for key, each in value.items()}
            case tuple() | list():
                return [self.of(each) for each in value]
            case set() | frozenset():
                return sorted(str(self.of(each)) for each in value)
            case partial():
                return {f"partial {_name(value.func)}": [self.of(each) for each in (*value.args, value.keywords)]}
        if inspect.ismethod(value):
            return {f"method {value.__func__.__name__}": self.of(value.__self__)}
        if inspect.isfunction(value):
            return self._function(value)
        return _name(value) if isinstance(value, type) else self._object(value)

    def _function(self, value: Any) -> Any:
        closed = inspect.getclosurevars(value).nonlocals if _is_ours(value) else {}
        if not closed:
            return _name(value)
        return {f"function {_name(value)}": {name: self.of(each) for name, each in closed.items()}}

    def _object(self, value: Any) -> Any:
        name = type(value).__name__
        if not _is_ours(type(value)):
            return getattr(value, "__name__", name)
        if name.endswith("Settings"):
            return f"the {name}"
        if id(value) in self._seen:
            return f"the {self._seen[id(value)]}"
        number = 1 + sum(type(each).__name__ == name for each in self._kept)
        self._kept.append(value)
        self._seen[id(value)] = name if number == 1 else f"{name} {number}"
        return {self._seen[id(value)]: {part: self.of(each) for part, each in _parts(value).items()}}


def _parts(value: Any) -> dict[str, Any]:
    if is_dataclass(value):
        return {one.name: getattr(value, one.name) for one in fields(value)}
    slots = [name for each in type(value).__mro__ for name in getattr(each, "__slots__", ())]
    return {**{name: getattr(value, name) for name in slots if hasattr(value, name)}, **getattr(value, "__dict__", {})}


def _is_ours(kind: Any) -> bool:
    return str(getattr(kind, "__module__", "")).partition(".")[0] in ("lambdas", "tests")


def _name(value: Any) -> str:
    return str(getattr(value, "__qualname__", type(value).__name__))
