"""Which addresses a webhook may have: public ones, and those that the operator allows in addition.

A tenant chooses a webhook's URL, so it must not lead into the operator's own network, to a metadata service or back
into the function. `ipaddress.is_global` is not sufficient: it is true for multicast and for IPv6 addresses that
embed an IPv4 address which a gateway would route to.
"""

import base64
import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

NEVER_PUBLIC: tuple[Network, ...] = (
    IPv4Network("192.0.0.0/24"),  # IETF protocol assignments (RFC 6890); Python versions differ on which are global
    IPv4Network("192.88.99.0/24"),  # 6to4 relays (RFC 7526)
    IPv6Network("2001::/32"),  # Teredo
    IPv6Network("2002::/16"),  # 6to4
    IPv6Network("3fff::/20"),  # documentation (RFC 9637); older Python versions do not know it
)
IPV6_UNICAST = IPv6Network("2000::/3")  # all that IANA has allocated as global unicast
_URL_CHARACTERS = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*")  # RFC 3986, section 2
_HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*)(:[0-9]{0,5})?")


class BadUrl(ValueError):
    """A URL that is not allowed for a webhook. The message tells the tenant why and never contains the userinfo."""


class AddressRules:
    """The addresses that the operator allows webhooks to reach."""

    def __init__(self, allowed: Iterable[Network] = (), *, allow_http: bool = False) -> None:
        self._allowed = tuple(allowed)
        self._schemes = ("https", "http") if allow_http else ("https",)

    @classmethod
    def parse(cls, cidrs: str, *, allow_http: bool) -> "AddressRules":
        """Parse the settings: comma-separated CIDRs. Raises ValueError."""
        return cls([ip_network(cidr.strip()) for cidr in cidrs.split(",") if cidr.strip()], allow_http=allow_http)

    def admits(self, address: str) -> bool:
        """Whether a webhook may have *address*, a literal such as `192.0.2.1` or `2001:db8::1`."""
        try:
            found = ip_address(address)
        except ValueError:
            return False
        return is_public(found) or self.allows(address)

    def allows(self, address: str) -> bool:
        """Whether the operator's own networks contain the literal *address*, public or not."""
        found = ip_address(address)
        return any(found in network for network in self._allowed)

    def check_url(self, url: str) -> None:
        """Raise BadUrl unless a webhook may have *url* (without userinfo). A host name's addresses are checked at each
        attempt.
        """
        parts = parse_url(url)
        if parts.scheme not in self._schemes:
            raise BadUrl("the URL must begin with " + " or ".join(f"{scheme}://" for scheme in self._schemes))
        if not parts.hostname:
            raise BadUrl("the URL names no host")
        if is_address(parts.hostname) and not self.admits(parts.hostname):
            raise BadUrl("the URL's address is not public")


def is_public(address: Address) -> bool:
    """Whether the public internet routes *address* to one host."""
    if isinstance(address, IPv6Address) and (address.scope_id or address not in IPV6_UNICAST):
        return False  # IPv4-mapped, IPv4-compatible, NAT64, site-local, segment routing: all outside
    if not address.is_global or address.is_multicast or address.is_reserved or address.is_unspecified:
        return False
    return not any(address in network for network in NEVER_PUBLIC)


def split_userinfo(url: str) -> tuple[str, str | None]:
    """*url* without its userinfo, and the userinfo exactly as given. Raises BadUrl."""
    parts = parse_url(url)
    userinfo, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, None
    return urlunsplit(parts._replace(netloc=host)), userinfo


def basic_auth(userinfo: str) -> str:
    """The Authorization header for a URL's *userinfo*, whose parts may be percent-encoded (RFC 3986, RFC 7617)."""
    user, _, password = userinfo.partition(":")
    return "Basic " + base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()


def parse_url(url: str) -> SplitResult:
    """The parts of *url*, parsed so strictly that no two libraries disagree about its host. Raises BadUrl.

    The bind and each delivery attempt both parse URLs with this function. It is stricter than `urlsplit`: RFC 3986's
    characters only (no backslash, no raw Unicode), and a host that is a name, an IPv4 address, or an IPv6 address in
    brackets.
    """
    if not url.isascii():
        raise BadUrl("the URL is not ASCII; write its host in its ASCII form (xn--...) and percent-encode the rest")
    if not _URL_CHARACTERS.fullmatch(url):
        raise BadUrl("the URL holds a space, a backslash or another character that must be percent-encoded")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise BadUrl("the URL cannot be read") from None
    if not _HOST_AND_PORT.fullmatch(parts.netloc.rpartition("@")[2]):
        raise BadUrl("the URL's host cannot be read; give a host name, and a port if it needs one")
    if "[" in parts.netloc and not is_address(parts.hostname or ""):
        raise BadUrl("the URL's host in brackets is not an IPv6 address")
    return parts


def is_address(host: str) -> bool:
    """Whether a URL's host is an IP address and not a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
