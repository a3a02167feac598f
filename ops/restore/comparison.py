"""Compares a restored table with the live one: how many items each has, and a sample of keys."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

SEGMENTS = 8  # of a table, read at a time
_PAGE = 100  # keys that one BatchGetItem takes
_ROUNDS = 8  # of BatchGetItem for keys it left unread
_SCAN_UNIT = 8_192  # bytes that an eventually consistent read unit covers

Item = Mapping[str, Any]
Progress = Callable[[str], None]


class Unread(Exception):
    """DynamoDB left keys unread at each attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Item counts of both tables, and what became of a sample of the restored table's keys in the live one."""

    restored: int
    live: int
    sampled: int
    same: int
    changed: int
    missing: int
    missing_keys: tuple[str, ...] = ()


def read_units(size: int) -> float:
    """Read units of a whole scan of *size* bytes."""
    return size / _SCAN_UNIT


def compare(client: Any, restored: str, live: str, *, sample: int, progress: Progress) -> Comparison:
    """Count both tables' items, and look *sample* keys of the restored one up in the live one."""
    keys = key_names(client, live)
    progress(f"counting the items of {restored}")
    there = count(client, restored)
    progress(f"counting the items of {live}")
    here = count(client, live)
    progress(f"comparing up to {sample} items")
    items = list(_sample(client, restored, sample))
    found = _found(client, live, [{name: item[name] for name in keys} for item in items], keys)
    pairs = [(item, found.get(_key(item, keys))) for item in items]
    missing = [_key(item, keys) for item, other in pairs if other is None]
    same = sum(1 for item, other in pairs if other == item)
    return Comparison(
        restored=there,
        live=here,
        sampled=len(items),
        same=same,
        changed=len(items) - same - len(missing),
        missing=len(missing),
        missing_keys=tuple(sorted(missing)[:10]),
    )


def count(client: Any, table: str) -> int:
    """The table's items, by a scan of all of it: its own count is up to six hours old."""

    def segment(number: int) -> int:
        pages = client.get_paginator("scan").paginate(
            TableName=table, Select="COUNT", Segment=number, TotalSegments=SEGMENTS
        )
        return sum(int(page["Count"]) for page in pages)

    with ThreadPoolExecutor(SEGMENTS) as pool:
        return sum(pool.map(segment, range(SEGMENTS)))


def key_names(client: Any, table: str) -> tuple[str, ...]:
    """The names of the primary key's attributes."""
    return tuple(part["AttributeName"] for part in client.describe_table(TableName=table)["Table"]["KeySchema"])


def _sample(client: Any, table: str, most: int) -> Iterator[Item]:
    """The first items of each segment: segments divide the table by a hash of the partition key."""
    each = -(-most // SEGMENTS)
    left = most
    for number in range(SEGMENTS):
        page = client.scan(TableName=table, Segment=number, TotalSegments=SEGMENTS, Limit=max(1, min(each, left)))
        yield from page["Items"][:left]
        left -= min(left, len(page["Items"]))
        if not left:
            return


def _found(client: Any, table: str, keys: list[Item], names: tuple[str, ...]) -> dict[str, Item]:
    """The live items of *keys*."""
    found: dict[str, Item] = {}
    for start in range(0, len(keys), _PAGE):
        left: Any = {table: {"Keys": keys[start : start + _PAGE]}}
        for _ in range(_ROUNDS):
            answer = client.batch_get_item(RequestItems=left)
            found |= {_key(item, names): item for item in answer["Responses"].get(table, [])}
            left = answer.get("UnprocessedKeys")
            if not left:
                break
        else:
            raise Unread(f"{len(left[table]['Keys'])} items of {table} were not read; run the comparison again")
    return found


def _key(item: Item, names: tuple[str, ...]) -> str:
    return " ".join(str(next(iter(item[name].values()))) for name in names)
