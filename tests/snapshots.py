"""Texts that were reviewed and that tests compare: YAML with a line an entry, so that a change is a line."""

import difflib
import json
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import yaml

_SHORT, _WIDTH = 100, 120  # characters
_LINES = 60  # of a difference that are shown


class _Dumper(yaml.SafeDumper):
    """Short lists and maps on one line, all else a line an entry."""

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.SequenceNode:
        """A list."""
        return super().represent_sequence(tag, sequence, flow_style=_is_short(sequence))

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> yaml.MappingNode:
        """A map; what it holds keeps its order."""
        return super().represent_mapping(tag, mapping, flow_style=_is_short(dict(mapping)))

    def ignore_aliases(self, data: Any) -> bool:
        """What stands twice is written twice."""
        return True


def _is_short(value: dict[str, Any] | list[Any]) -> bool:
    entries = list(value.values()) if isinstance(value, dict) else value
    return not any(isinstance(one, dict | list) and one for one in entries) and len(json.dumps(value)) < _SHORT


def as_yaml(value: Any) -> str:
    """*value* as YAML."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=_WIDTH, allow_unicode=True)


def hold(path: Path, now: str, command: str) -> None:
    """Fail, with what would change, unless *path* holds *now*; *command* writes it."""
    kept = path.read_text() if path.exists() else ""
    if kept != now:
        pytest.fail(f"{path.name} would change; if you meant it: {command}\n\n{_shown(kept, now)}", pytrace=False)


def _shown(kept: str, now: str) -> str:
    lines = list(islice(difflib.unified_diff(kept.splitlines(), now.splitlines(), lineterm="", n=4), 2, None))
    more = len(lines) - _LINES
    return "\n".join([*lines[:_LINES], *([f"... and {more} lines more"] if more > 0 else [])])
