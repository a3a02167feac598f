"""Settings of a function: infra writes them to its environment, the handler reads them. Both sides use the
same class.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Self, get_type_hints

_READERS: dict[type, Callable[[str], object]] = {str: str, int: int, float: float, bool: lambda text: text == "true"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Base of every function's settings. Fields are str, int, float or bool; their environment names are upper case."""

    def to_environment(self) -> dict[str, str]:
        """The environment variables that `from_environment` reads back."""
        return {field.name.upper(): _written(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; KeyError names the variable that is missing.

        A setting with a default may be missing: a function is updated before its environment, and operators' commands
        read the environment of an older deployment.
        """
        types = get_type_hints(cls)
        given = [field for field in fields(cls) if field.name.upper() in environment or field.default is MISSING]
        return cls(**{field.name: _READERS[types[field.name]](environment[field.name.upper()]) for field in given})


def _written(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
