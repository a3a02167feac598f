"""DNS look-ups with the function's own resolver."""

MAX_WAIT = 3.0  # s for all servers and retries: requests are answered within a few seconds
MAX_VALUES = 50  # more TXT values of one name are ignored


def txt_values(name: str) -> frozenset[str]:
    """The TXT values of *name*; none if there is no such record or no server answers in MAX_WAIT."""
    import dns.exception  # only a request for a name that is taken needs it
    import dns.resolver

    try:
        answer = dns.resolver.resolve(name + ".", "TXT", lifetime=MAX_WAIT)
    except (dns.exception.DNSException, OSError):
        return frozenset()
    return frozenset(b"".join(found.strings).decode("utf-8", "replace") for found in list(answer)[:MAX_VALUES])
