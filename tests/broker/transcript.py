"""Transcripts: whole answers of the broker, all that it asks of AWS, and what it writes, as text to compare."""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any

import yaml

from lambdas.broker.osb.requests import Response
from tests.broker.world import World


@dataclass
class Transcript:
    """What a world is asked, what it answers, and what it does meanwhile."""

    world: World = field(default_factory=World)
    entries: list[dict[str, Any]] = field(default_factory=list)
    _known: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def note(self, title: str, answer: Response | None) -> Response | None:
        """Add what was done since the last entry, under *title*, with the answer if it was a request."""
        entry: dict[str, Any] = {"step": title}
        if answer is not None:
            entry["status"] = answer.status
            entry |= {name: plain(part) for name, part in (("headers", answer.headers), ("body", answer.body)) if part}
        done = [line for call in self.world.gate.asked for line in self._told(*call)]
        self.world.gate.asked.clear()
        if done:
            entry["did"] = done
        self.entries.append(entry)
        return answer

    def call(self, title: str, *args: Any, **kwargs: Any) -> None:
        """Have the world do what *title* names first (`bind: a repetition` is a bind), a minute later."""
        self.world.later(minutes=1)
        self.note(title, getattr(self.world, title.partition(":")[0])(*args, **kwargs))

    def __str__(self) -> str:
        return yaml.safe_dump(self.entries, sort_keys=False, width=160, allow_unicode=True, default_flow_style=None)

    def _told(self, name: str, *args: Any) -> Iterator[Any]:
        """A call as a line; of a write only what differs from the one before; reads of tables are left out."""
        if name in ("Table.save_instance", "Table.save_binding"):
            record, *more = args
            key, now = (name, record.id), _flat(plain(record))
            before = self._known.get(key, {})
            changed = {k: v for k, v in now.items() if before.get(k) != v}
            gone = {k: None for k in before if k not in now}
            self._known[key] = now
            yield {f"{name} {record.id}": changed | gone} | ({"with": _short(more[0])} if more else {})
        elif not name.startswith("Table.") and name != "Webhooks.get":
            yield {name: [plain(value) for value in args]} if args else name


def plain(value: Any) -> Any:
    """Values as YAML has them; a record's fields that are as they are by default are left out."""
    if is_dataclass(value) and not isinstance(value, type):
        given = ((one, getattr(value, one.name)) for one in fields(value))
        return {one.name: plain(found) for one, found in given if not _is_default(one, found)}
    match value:
        case Enum():
            return value.value
        case datetime():
            return f"{value:%d %H:%M:%S}"
        case bytes():
            return value.decode()
        case Mapping():
            return {str(key): plain(each) for key, each in value.items()}
        case tuple() | list():
            return [plain(each) for each in value]
        case set() | frozenset():
            return sorted(map(plain, value))
    return value


def _short(keywords: Mapping[str, Any]) -> Any:
    """The keywords of a write; of further instances that it writes, their ids and who uses them."""
    instances = [
        {one.id: {"bindings": list(one.bindings), "referrers": list(one.referrers)}}
        for one in keywords.get("instances", ())
    ]
    return plain({**keywords, "instances": instances} if instances else keywords)


def _is_default(one: Any, found: Any) -> bool:
    return bool(found == (one.default_factory() if one.default_factory is not MISSING else one.default))


def _flat(values: dict[str, Any]) -> dict[str, Any]:
    """`operation: {id: 1}` as `operation.id: 1`."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        inner = value if isinstance(value, dict) and name in ("operation", "made") else {"": value}
        found |= {f"{name}.{key}" if key else name: each for key, each in inner.items()}
    return found
