"""MkDocs hook: a navigation entry such as `decisions/*.md` stands for all matching pages, ordered by name."""

from pathlib import Path
from typing import Any


def on_config(config: Any) -> Any:
    """Replace each entry that holds a `*` by the pages that it matches."""
    config.nav = [_expanded(entry, Path(config.docs_dir)) for entry in config.nav]
    return config


def _expanded(entry: Any, docs: Path) -> Any:
    if isinstance(entry, dict):
        return {title: _expanded(value, docs) for title, value in entry.items()}
    if isinstance(entry, list):
        return [page for value in entry for page in _pages(value, docs)]
    return entry


def _pages(value: Any, docs: Path) -> list[Any]:
    if isinstance(value, str) and "*" in value:
        return sorted(str(path.relative_to(docs)) for path in docs.glob(value))
    return [_expanded(value, docs)]
