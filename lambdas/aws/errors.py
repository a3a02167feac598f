"""Errors that every control plane reports in its own words: "throttled" and "not found"."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError

from lambdas.domain.errors import Throttled

THROTTLE_WAIT = 5.0  # s: AWS sends no Retry-After; SES's bucket refills at about one call a second
_THROTTLED = frozenset(
    {
        "LimitExceededException",  # sesv2 uses it for quotas too: retrying later is right for both
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
    """Turn AWS's various throttling errors into Throttled."""
    try:
        yield
    except ClientError as error:
        if code(error) in _THROTTLED:
            raise Throttled(THROTTLE_WAIT, f"{error.operation_name}: {code(error)}") from error
        raise


@contextmanager
def ignoring(*codes: str) -> Iterator[None]:
    """Ignore the named errors: what is to be removed may not exist, what is to be created may exist."""
    try:
        yield
    except ClientError as error:
        if code(error) not in codes:
            raise
