"""Queue messages as JSON with their schema version (lambdas/domain/schema.py) in the first member."""

import re
from typing import Generic, TypeVar

import msgspec

from lambdas.domain import schema

T = TypeVar("T")
_PREFIX = b'{"%s":%d,' % (schema.ATTRIBUTE.encode(), schema.WRITES)
_VERSION = re.compile(rf'\s*\{{\s*"{schema.ATTRIBUTE}"\s*:\s*(\d+)')
_encode = msgspec.json.Encoder().encode


class VersionedJson(Generic[T]):
    """Messages of one type, a dataclass or a msgspec.Struct with at least one field."""

    def __init__(self, kind: type[T]) -> None:
        self._decode = msgspec.json.Decoder(kind).decode

    def encode(self, message: T) -> str:
        """The body of *message*."""
        return (_PREFIX + _encode(message)[1:]).decode()

    def decode(self, body: str) -> T:
        """The message in *body*. Raises NewerSchema, and msgspec.DecodeError if it is malformed."""
        if found := _VERSION.match(body):
            schema.check(int(found[1]))
        return self._decode(body)
