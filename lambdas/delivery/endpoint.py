"""A webhook's URL, read for the HTTP client."""

from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

from lambdas.domain.webhooks.address_rules import AddressRules

_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class Endpoint:
    """A webhook's URL as libcurl gets it, and its host's addresses."""

    url: str
    host: str
    port: int
    addresses: tuple[str, ...] = ()

    @cached_property
    def pinned(self) -> str:
        """The addresses in libcurl's notation. `+`: libcurl forgets them after a minute."""
        addresses = ",".join(f"[{address}]" if ":" in address else address for address in self.addresses)
        return f"+{self.host}:{self.port}:{addresses}"


def read_url(url: str, rules: AddressRules) -> Endpoint:
    """Read *url* by the parser and rules that a bind uses. Raises BadUrl."""
    rules.check_url(url)
    parts = urlsplit(url)
    return Endpoint(url=url, host=parts.hostname or "", port=parts.port or _PORTS[parts.scheme])
