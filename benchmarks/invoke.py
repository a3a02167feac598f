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
from collections.abc import Callable, Iterator, Sequence
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
    """What an environment did. `loading` is the import, up to the first event.

    `warming_log_bytes` were logged by the invocations that only warmed the environment and are not in `invocations`.
    """

    loading_wall_s: float
    loading_cpu_s: float
    peak_mib: float
    warming_log_bytes: int
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


def sqs_event(bodies: list[str], queue: str = "benchmark") -> dict[str, Any]:
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
                "eventSourceARN": f"arn:aws:sqs:us-east-1:000000000000:{queue}",
                "awsRegion": "us-east-1",
            }
            for number, body in enumerate(bodies)
        ]
    }


def invoked(handler: Handler, bodies: list[str], timeout: float, queue: str = "benchmark") -> Invocation:
    """Call *handler* once."""
    event = sqs_event(bodies, queue)
    wall, cpu = time.perf_counter(), time.process_time()
    answer = handler(event, Context(timeout))
    return Invocation(
        records=len(bodies),
        failed=len((answer or {}).get("batchItemFailures", [])),
        wall_s=time.perf_counter() - wall,
        cpu_s=time.process_time() - cpu,
    )


def batches(queues: Sequence[str], size: int, *, patient: bool) -> Iterator[tuple[str, list[str]]]:
    """What is visible in the stub's *queues*, a batch at a time, the first queue first, until there is nothing.

    *patient*: waits for messages that are delayed.
    """
    while True:
        queue, bodies = next(((one, found) for one in queues if (found := _receive(one, size))), ("", []))
        if bodies:
            yield queue, bodies
        elif patient and _ask("waiting", queues=queues):
            time.sleep(0.1)
        else:
            return


def _receive(queue: str, limit: int) -> list[str]:
    return list(_ask("receive", queue=queue, limit=limit))


def _ask(verb: str, **asked: object) -> Any:
    data = json.dumps(asked).encode()
    request = urllib.request.Request(f"{os.environ['AWS_ENDPOINT_URL']}/_stub/{verb}", data=data)
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def run(
    name: str, queues: Sequence[str], *, batch: int, timeout: float, seconds: float, warming: int, patient: bool
) -> Run:
    """Work *queues* off, but begin no invocation after *seconds*. The first *warming* invocations do not count."""
    wall, cpu = time.perf_counter(), time.process_time()
    handler = load(name)
    loading = (time.perf_counter() - wall, time.process_time() - cpu)
    end = time.monotonic() + seconds
    invocations: list[Invocation] = []
    warming_log_bytes = 0
    for number, (queue, bodies) in enumerate(batches(queues, batch, patient=patient), start=1):
        invocation = invoked(handler, bodies, timeout, queue)
        if number > warming:
            invocations.append(invocation)
        elif number == warming:
            sys.stdout.flush()
            warming_log_bytes = os.fstat(sys.stdout.fileno()).st_size
            _ask("begin", keep=queues)
        if time.monotonic() > end:
            break
    return Run(
        loading_wall_s=loading[0],
        loading_cpu_s=loading[1],
        peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB_OF_MAXRSS,
        warming_log_bytes=warming_log_bytes,
        invocations=tuple(invocations),
    )


def main() -> None:
    """Read the command line, run, write the costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("handler")
    parser.add_argument("--queue", action="append", required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--timeout", type=float, default=60.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--warming", type=int, default=0)
    parser.add_argument("--patient", action="store_true")
    parser.add_argument("--costs", type=Path, required=True)
    arguments = parser.parse_args()
    result = run(
        arguments.handler,
        arguments.queue,
        batch=arguments.batch,
        timeout=arguments.timeout,
        seconds=arguments.seconds,
        warming=arguments.warming,
        patient=arguments.patient,
    )
    arguments.costs.write_text(json.dumps(asdict(result)))
    sys.stdout.flush()
    os._exit(0)  # as Lambda: an environment is frozen and dropped, never wound down


if __name__ == "__main__":
    main()
