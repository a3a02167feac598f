"""Batches of deliveries as compressed bytes, for the backlog table."""

import zlib

import msgspec

from lambdas.domain.webhooks.delivery import DeliveryBatch

_LEVEL = 1  # a fifth more write units than level 6, in a third of its time: parking comes in floods
_MAX_UNPACKED = 4_000_000  # bytes: sixteen times the largest message
_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(DeliveryBatch)


class Unreadable(Exception):
    """Bytes that are not a compressed batch."""


def compress(batch: DeliveryBatch) -> bytes:
    """*batch*, compressed."""
    return zlib.compress(_encode(batch), _LEVEL)


def decompress(payload: bytes) -> DeliveryBatch:
    """The batch that `compress` was given. Raises Unreadable."""
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(payload, _MAX_UNPACKED)
        if not unpacker.eof:
            raise Unreadable("cut short, or too large")
        batch = _decoder.decode(text)
    except (zlib.error, msgspec.DecodeError, TypeError) as error:
        raise Unreadable(type(error).__name__) from error
    if not batch.deliveries:
        raise Unreadable("no deliveries")
    return batch
