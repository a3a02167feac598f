"""The version that this checkout is: `version` in pyproject.toml, its only place."""

import tomllib
from pathlib import Path

_PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def version() -> str:
    """The project's version, such as 1.0.0."""
    return str(tomllib.loads(_PROJECT.read_text())["project"]["version"])
