"""What every adapter of a control plane says the same way: "not now" and "not there"."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError

from lambdas.domain.errors import Throttled

THROTTLE_WAIT = 5.0  # s: AWS names no time; SES's bucket refills at about one call a second
_THROTTLED = frozenset(
    {
        "LimitExceededException",  # sesv2 says so of quotas too: trying again later is right for both
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "ConcurrentModification",
        "ConcurrentModificationException",
    }
)


def code(error: ClientError) -> str:
    """AWS's error code."""
    return str(error.response["Error"]["Code"])


@contextmanager
def throttling() -> Iterator[None]:
    """Turn AWS's many words for "too fast" into Throttled."""
    try:
        yield
    except ClientError as error:
        if code(error) in _THROTTLED:
            raise Throttled(THROTTLE_WAIT, f"{error.operation_name}: {code(error)}") from error
        raise


@contextmanager
def ignoring(*codes: str) -> Iterator[None]:
    """Pass over the named errors: what is to be removed may be gone, what is to be made may be there."""
    try:
        yield
    except ClientError as error:
        if code(error) not in codes:
            raise
