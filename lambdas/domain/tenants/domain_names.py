"""Domain names: validity, parents, and generated names."""

import hashlib
import re

MAX_LENGTH = 253  # RFC 1035, without the final dot
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")


def is_domain(name: str) -> bool:
    """Whether *name* is an ASCII domain of two labels or more that a mail sender can have."""
    labels = name.split(".")
    return (
        len(name) <= MAX_LENGTH
        and len(labels) >= 2
        and all(_LABEL.fullmatch(label) for label in labels)
        and not labels[-1].isdigit()  # an IP address
    )


def is_label(name: str) -> bool:
    """Whether *name* is a valid DNS label."""
    return _LABEL.fullmatch(name) is not None


def is_under(name: str, parent: str) -> bool:
    """Whether *name* is *parent* or below it."""
    return name == parent or name.endswith("." + parent)


def parents(name: str) -> tuple[str, ...]:
    """Every parent of *name* that could be claimed, the nearest first: at least two labels."""
    labels = name.split(".")
    return tuple(".".join(labels[start:]) for start in range(1, len(labels) - 1))


def reversed_labels(name: str) -> str:
    """`gov.agency.mail.` for `mail.agency.gov`: every name below a domain begins with the domain's reversal."""
    return ".".join(reversed(name.split("."))) + "."


def unreversed(labels: str) -> str:
    """The name that was given to `reversed_labels`."""
    return ".".join(reversed(labels.removesuffix(".").split(".")))


def generated(instance_id: str, zone: str) -> str:
    """The domain for an instance that asks for none, under the operator's zone."""
    return f"ses-{hashlib.sha256(instance_id.encode()).hexdigest()[:16]}.{zone}"
