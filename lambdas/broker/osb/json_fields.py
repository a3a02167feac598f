"""Reading one field of untrusted JSON: its value, or BadParameter that names the field and what would be right."""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from lambdas.broker.osb.errors import BadParameter

MAX_EMAIL = 254  # characters: RFC 5321, 4.5.3.1.3
MAX_LOCAL_PART = 64  # RFC 5321, 4.5.3.1.1
MAX_ITEMS = 20  # of any list: an IAM policy and a DNS record have room for these
_EMAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9-]{2,63}"
)
_TRUTHS = {"true": True, "false": False}
Choice = TypeVar("Choice", bound=StrEnum)


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

    def text(self, field: str, *, what: str, longest: int = 255) -> str:
        """A string without control characters, not empty."""
        value = self.values[field]
        if not isinstance(value, str):
            raise BadParameter(self.name(field), f"must be {what}, as a string")
        if not value.strip():
            raise BadParameter(self.name(field), f"must not be empty; give {what}")
        if len(value) > longest:
            raise BadParameter(self.name(field), f"must be at most {longest} characters long")
        if any(character < " " or "\x7f" <= character < "\xa0" for character in value):
            raise BadParameter(self.name(field), "must not hold line breaks or control characters")
        return value

    def email(self, field: str) -> str:
        """An e-mail address."""
        value = self.text(field, what="an e-mail address", longest=MAX_EMAIL)
        if not is_email(value):
            raise BadParameter(self.name(field), "must be an e-mail address such as team@agency.gov")
        return value

    def emails(self, field: str) -> tuple[str, ...]:
        """A list of e-mail addresses, each bare or as a mailto: URI; also, as at cloud.gov, one string with commas."""
        value = self.values[field]
        listed = (value.split(",") if value else []) if isinstance(value, str) else value
        found = []
        for entry in self._texts(field, listed, what="e-mail addresses"):
            address = entry.strip(" ").removeprefix("mailto:")
            if not is_email(address) or "!" in address:  # ! begins a size limit in DMARC's URIs: RFC 7489, 6.2
                raise BadParameter(self.name(field), "must hold e-mail addresses such as dmarc@agency.gov")
            found.append(address)
        return tuple(dict.fromkeys(found))

    def truth(self, field: str) -> bool:
        """A boolean, or one of the strings "true" and "false"."""
        value = self.values[field]
        if isinstance(value, str):
            value = _TRUTHS.get(value.strip().lower())
        if not isinstance(value, bool):
            raise BadParameter(self.name(field), "must be true or false")
        return value

    def whole_number(self, field: str, *, least: int, most: int) -> int:
        """A whole number from *least* to *most*."""
        value = self.values[field]
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise BadParameter(self.name(field), f"must be a whole number from {least} to {most}")
        return value

    def choice(self, field: str, choices: Iterable[Choice]) -> Choice:
        """One of *choices*."""
        known = {str(choice.value): choice for choice in choices}
        value = self.values[field]
        if not isinstance(value, str) or value not in known:
            raise BadParameter(self.name(field), f"must be one of {', '.join(known)}")
        return known[value]

    def choices(self, field: str, choices: Iterable[Choice]) -> tuple[Choice, ...]:
        """A list of one or more of *choices*."""
        known = {str(choice.value): choice for choice in choices}
        values = self._texts(field, self.values[field], what=f"one or more of {', '.join(known)}")
        if not values or any(value not in known for value in values):
            raise BadParameter(self.name(field), f"must be a list of one or more of {', '.join(known)}")
        return tuple(choice for choice in known.values() if choice.value in values)

    def networks(self, field: str) -> tuple[str, ...]:
        """A list of IP addresses and CIDRs, normalised."""
        remedy = 'must be a list of IP addresses or CIDRs such as "203.0.113.0/24", without host bits'
        found = []
        for entry in self._texts(field, self.values[field], what="IP addresses or CIDRs"):
            try:
                found.append(str(ipaddress.ip_network(entry.strip(" "))))
            except ValueError:
                raise BadParameter(self.name(field), remedy) from None
        if not found:
            raise BadParameter(self.name(field), remedy)
        return tuple(sorted(set(found)))

    def _texts(self, field: str, value: object, *, what: str) -> list[str]:
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise BadParameter(self.name(field), f"must be a list of {what}")
        if len(value) > MAX_ITEMS:
            raise BadParameter(self.name(field), f"must hold at most {MAX_ITEMS} entries")
        return value


def is_email(value: str) -> bool:
    """Whether *value* is an address that mail can be sent to: no quoting, no display name, a domain with a dot."""
    return (
        len(value) <= MAX_EMAIL
        and _EMAIL.fullmatch(value) is not None
        and len(value.partition("@")[0]) <= MAX_LOCAL_PART
        and not value.startswith(".")
        and ".." not in value
        and ".@" not in value
    )


def _shown(field: str) -> str:
    """An unknown field's name, as far as it can be repeated safely."""
    return re.sub(r"[^\w.-]", "?", field[:60])
