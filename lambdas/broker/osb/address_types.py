"""The types of parameters that are addresses: of web pages, domains, mailboxes and networks."""

import ipaddress
import re

import idna
from msgspec import Struct

from lambdas.broker.osb.errors import BadParameter
from lambdas.broker.osb.parameter_types import MAX_ITEMS, Schema, text, texts
from lambdas.domain.tenants.domain_names import MAX_LENGTH, is_domain, is_label
from lambdas.domain.webhooks.webhook_url import MAX_URL

MAX_EMAIL = 254  # characters: RFC 5321, 4.5.3.1.3
MAX_LOCAL_PART = 64  # RFC 5321, 4.5.3.1.1
_EMAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9-]{2,63}"
)


class Url(Struct, frozen=True):
    """An https URL, as text: whether the operator allows its host is a rule of its own."""

    description: str

    def schema(self) -> Schema:
        return {"type": "string", "format": "uri", "maxLength": MAX_URL, "description": self.description}

    def read(self, value: object, field: str) -> str:
        return text(value, field, what="an https URL", longest=MAX_URL)


class Domain(Struct, frozen=True):
    """A domain name, in any script; empty stands for one that the broker generates."""

    description: str

    def schema(self) -> Schema:
        return {"type": "string", "maxLength": MAX_LENGTH + 1, "description": self.description}  # a final dot

    def read(self, value: object, field: str) -> str:
        if value == "":
            return ""
        given = text(value, field, what="a domain", longest=MAX_LENGTH + 1).strip().removesuffix(".")
        try:
            domain = idna.encode(given, uts46=True).decode().lower()
        except idna.IDNAError:
            domain = ""
        if not is_domain(domain):
            raise BadParameter(field, "must be a domain that you hold, such as agency.gov, or empty to get one made")
        return domain


class Subdomain(Struct, frozen=True):
    """What stands before a domain; may be empty."""

    description: str

    def schema(self) -> Schema:
        return {"type": "string", "description": self.description}

    def read(self, value: object, field: str) -> str:
        if value == "":
            return ""
        given = text(value, field, what="a name", longest=MAX_LENGTH).strip().lower()
        if not all(map(is_label, given.split("."))):
            raise BadParameter(field, "must be what stands before the domain, such as bounce, or empty")
        return given


class Email(Struct, frozen=True):
    """An e-mail address."""

    description: str

    def schema(self) -> Schema:
        return {"type": "string", "format": "email", "maxLength": MAX_EMAIL, "description": self.description}

    def read(self, value: object, field: str) -> str:
        given = text(value, field, what="an e-mail address", longest=MAX_EMAIL)
        if not is_email(given):
            raise BadParameter(field, "must be an e-mail address such as team@agency.gov")
        return given


class Emails(Struct, frozen=True):
    """E-mail addresses, each bare or as a mailto: URI, in a list or, as at cloud.gov, in one string with commas."""

    description: str

    def schema(self) -> Schema:
        address = {"type": "string", "maxLength": len("mailto:") + MAX_EMAIL}
        words = f"{self.description}; a list, or one string with commas; each an address or a mailto: URI"
        return {"type": ["array", "string"], "items": address, "maxItems": MAX_ITEMS, "description": words}

    def read(self, value: object, field: str) -> tuple[str, ...]:
        listed = (value.split(",") if value else []) if isinstance(value, str) else value
        found = []
        for entry in texts(listed, field, what="e-mail addresses"):
            address = entry.strip(" ").removeprefix("mailto:")
            if not is_email(address) or "!" in address:  # ! begins a size limit in DMARC's URIs: RFC 7489, 6.2
                raise BadParameter(field, "must hold e-mail addresses such as dmarc@agency.gov")
            found.append(address)
        return tuple(dict.fromkeys(found))


class Networks(Struct, frozen=True):
    """A list of IP addresses and CIDRs; it is read normalised."""

    description: str

    def schema(self) -> Schema:
        items = {"type": "string", "description": "An IP address or a CIDR"}
        sizes = {"maxItems": MAX_ITEMS, "minItems": 1}
        return {"type": "array", "items": items, **sizes, "description": self.description}

    def read(self, value: object, field: str) -> tuple[str, ...]:
        remedy = 'must be a list of IP addresses or CIDRs such as "203.0.113.0/24", without host bits'
        found = []
        for entry in texts(value, field, what="IP addresses or CIDRs"):
            try:
                found.append(str(ipaddress.ip_network(entry.strip(" "))))
            except ValueError:
                raise BadParameter(field, remedy) from None
        if not found:
            raise BadParameter(field, remedy)
        return tuple(sorted(set(found)))


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
