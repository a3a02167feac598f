"""`python -m tests.upgrade.cost`: what the schema version costs, in bytes and microseconds."""

import timeit
from collections.abc import Callable
from dataclasses import replace

import msgspec

from lambdas.aws.dynamodb.attribute_values import from_item, new_item, to_item
from lambdas.aws.sqs import delivery_queue
from tests.upgrade.test_previous_release import BATCH

RUNS = 20_000


def main() -> None:
    """Print one line a measurement: without and with the version."""
    batch = replace(BATCH, deliveries=(replace(BATCH.deliveries[0], body="x" * 1_500),) * 10)
    plain_decode = msgspec.json.Decoder(type(batch)).decode
    body, item = delivery_queue.encode(batch), {"instance_id": "i" * 36, "item": "ledger#x", "kind": "bounce"}
    print(f"message: {len(body) - len(msgspec.json.encode(batch))} bytes of {len(body)}")  # noqa: T201
    _print("decode a message", lambda: plain_decode(body), lambda: delivery_queue.decode(body))
    _print("encode a message", lambda: msgspec.json.encode(batch).decode(), lambda: delivery_queue.encode(batch))
    without, with_version = to_item(item), new_item(item)
    _print("read an item", lambda: from_item(without), lambda: from_item(with_version))


def _print(what: str, without: Callable[[], object], with_version: Callable[[], object]) -> None:
    times = [min(timeit.repeat(one, number=RUNS, repeat=3)) / RUNS * 1e6 for one in (without, with_version)]
    print(f"{what}: {times[0]:.1f} us, {times[1]:.1f} us")  # noqa: T201


if __name__ == "__main__":
    main()
