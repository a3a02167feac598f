"""`python -m benchmarks.invoke HANDLER`: one Lambda environment, fed from the stub's queue, and its costs.

A fresh process, so that what is measured is what one environment would cost. Taking the messages from the queue is
AWS's work and is left out. The function's own output goes where stdout goes; the costs go to a file.
"""

import argparse
import importlib
import json
import os
import resource
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

Handler = Callable[[dict[str, Any], "Context"], Any]
MIB_OF_MAXRSS = 1024 if sys.platform != "darwin" else 1024 * 1024  # getrusage's unit differs


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """What one invocation took. *records* of the batch came, *failed* were given back."""

    records: int
    failed: int
    wall_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What an environment did. `loading` is the import, up to the first event."""

    loading_wall_s: float
    loading_cpu_s: float
    peak_mib: float
    invocations: tuple[Invocation, ...]


class Context:
    """Lambda's context object, as far as handlers look at it."""

    function_name = "benchmark"
    function_version = "$LATEST"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:benchmark"
    aws_request_id = "00000000-0000-0000-0000-000000000000"

    def __init__(self, timeout: float) -> None:
        self._deadline = time.monotonic() + timeout

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function would be stopped."""
        return int(1000 * (self._deadline - time.monotonic()))


def load(name: str) -> Handler:
    """The function at `package.module.function`."""
    module, _, function = name.rpartition(".")
    handler: Handler = getattr(importlib.import_module(module), function)
    return handler


def sqs_event(bodies: list[str]) -> dict[str, Any]:
    """The event that Lambda makes of SQS messages."""
    return {
        "Records": [
            {
                "messageId": str(number),
                "receiptHandle": str(number),
                "body": body,
                "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": str(int(time.time() * 1000))},
                "messageAttributes": {},
                "md5OfBody": "",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:benchmark",
                "awsRegion": "us-east-1",
            }
            for number, body in enumerate(bodies)
        ]
    }


def invoked(handler: Handler, bodies: list[str], timeout: float) -> Invocation:
    """Call *handler* once."""
    event = sqs_event(bodies)
    wall, cpu = time.perf_counter(), time.process_time()
    answer = handler(event, Context(timeout))
    return Invocation(
        records=len(bodies),
        failed=len((answer or {}).get("batchItemFailures", [])),
        wall_s=time.perf_counter() - wall,
        cpu_s=time.process_time() - cpu,
    )


def batches(queue: str, size: int) -> Iterator[list[str]]:
    """What is visible in the stub's *queue*, a batch at a time, until there is nothing."""
    while bodies := _receive(queue, size):
        yield bodies


def _receive(queue: str, limit: int) -> list[str]:
    asked = json.dumps({"queue": queue, "limit": limit}).encode()
    request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"] + "/_stub/receive", data=asked)
    with urllib.request.urlopen(request) as response:
        bodies: list[str] = json.load(response)
        return bodies


def run(name: str, queue: str, *, batch: int, timeout: float, seconds: float) -> Run:
    """Work *queue* off, but begin no invocation after *seconds*."""
    wall, cpu = time.perf_counter(), time.process_time()
    handler = load(name)
    loading = (time.perf_counter() - wall, time.process_time() - cpu)
    end = time.monotonic() + seconds
    invocations = []
    for bodies in batches(queue, batch):
        invocations.append(invoked(handler, bodies, timeout))
        if time.monotonic() > end:
            break
    return Run(
        loading_wall_s=loading[0],
        loading_cpu_s=loading[1],
        peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB_OF_MAXRSS,
        invocations=tuple(invocations),
    )


def main() -> None:
    """Read the command line, run, write the costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("handler")
    parser.add_argument("--queue", required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--timeout", type=float, default=60.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--costs", type=Path, required=True)
    told = parser.parse_args()
    result = run(told.handler, told.queue, batch=told.batch, timeout=told.timeout, seconds=told.seconds)
    told.costs.write_text(json.dumps(asdict(result)))
    sys.stdout.flush()
    os._exit(0)  # as Lambda: an environment is frozen and dropped, never wound down


if __name__ == "__main__":
    main()
