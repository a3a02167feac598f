"""Which URLs a binding may name. Only the URL's text is checked, without DNS: the application need not run yet.

Delivery checks the addresses behind the host name at each attempt.
"""

import re

from lambdas.domain.tenants.domain_names import MAX_LENGTH
from lambdas.domain.webhooks.address_rules import AddressRules, BadUrl, is_address, parse_url, split_userinfo

MAX_URL = 2_000  # characters: what servers and proxies commonly accept
MAX_USERINFO = 1_000  # characters, all ASCII: KMS encrypts 4,096 bytes; a binding stores it twice and its keys
_PRIVATE_SUFFIXES = ("localhost", "local", "localdomain", "internal", "intranet", "lan", "home", "corp", "home.arpa")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.IGNORECASE)


def checked_url(url: str, rules: AddressRules, *, private_names: bool = False) -> tuple[str, str | None]:
    """*url* without its userinfo, and the userinfo. Raises BadUrl with a message that says what would be right.

    *private_names*: the operator allows its own networks, so names that resolve only there (`app.apps.internal`) are
    accepted; delivery checks their addresses.
    """
    if len(url) > MAX_URL:
        raise BadUrl(f"the URL is longer than {MAX_URL} characters")
    plain, userinfo = split_userinfo(url)
    if userinfo and len(userinfo) > MAX_USERINFO:
        raise BadUrl(f"the URL's user name and password are longer than {MAX_USERINFO} characters together")
    rules.check_url(plain)
    parts = parse_url(plain)
    if parts.fragment or plain.endswith("#"):
        raise BadUrl("the URL has a fragment (#...), which no server is ever sent")
    if parts.port == 0:
        raise BadUrl("the URL's port is 0")
    if is_address(parts.hostname or ""):
        if not rules.allows(parts.hostname or ""):
            raise BadUrl("the URL names an IP address; give the application's host name")
    else:
        _check_name(parts.hostname or "", private_names=private_names)
    return plain, userinfo


def _check_name(host: str, *, private_names: bool) -> None:
    labels = host.removesuffix(".").lower().split(".")
    if len(host.removesuffix(".")) > MAX_LENGTH:
        raise BadUrl(f"the URL's host is longer than {MAX_LENGTH} characters, DNS's limit")
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise BadUrl("the URL's host is not a valid name")
    if _is_number(labels[-1]) or (_is_private(labels) and not private_names):
        raise BadUrl("the URL's host is not public; give the application's public route")


def _is_private(labels: list[str]) -> bool:
    name = ".".join(labels)
    return len(labels) == 1 or any(name == suffix or name.endswith("." + suffix) for suffix in _PRIVATE_SUFFIXES)


def _is_number(label: str) -> bool:
    """Whether *name* has a form that some resolvers read as an IPv4 address: `127.1`, `0x7f.1`."""
    return label.isdigit() or re.fullmatch(r"0x[0-9a-f]*", label) is not None
