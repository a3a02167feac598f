"""The fields of a JSON object that a platform sent."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lambdas.broker.osb.errors import BadParameter
from lambdas.broker.osb.parameter_types import Parameters


@dataclass(frozen=True, slots=True)
class Fields:
    """An object's fields. *path* is put before their names, as in `bindings.<id>.notification_webhook`."""

    values: Mapping[str, Any]
    path: str = ""

    def name(self, field: str) -> str:
        """The field's name for people."""
        return f"{self.path}{field}"

    def has(self, field: str) -> bool:
        """Whether it is there, null included."""
        return field in self.values

    def only(self, known: Iterable[str]) -> None:
        """Refuse any field not among *known*."""
        allowed = sorted(known)
        for field in self.values:
            if field not in allowed:
                raise BadParameter(self.name(_shown(field)), f"unknown; known are {', '.join(allowed)}")

    def read(self, parameters: Parameters) -> dict[str, Any]:
        """The values of those *parameters* that are there. Raises BadParameter for the first that is refused."""
        return {
            name: kind.read(self.values[name], self.name(name))
            for name, kind in parameters.items()
            if name in self.values
        }


def _shown(field: str) -> str:
    """An unknown field's name, shortened and without characters that are unsafe to repeat."""
    return re.sub(r"[^\w.-]", "?", field[:60])
