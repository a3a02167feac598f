"""One cold start: run as a file by a bare interpreter that sees a bundle and the standard library alone.

    python -I -S first_event.py BUNDLE HANDLER EVENT

Imports the handler and handles one event, as Lambda does when it starts an environment. The parent reads what it cost
from the process's own resource usage; nothing of this project is imported here.
"""

import importlib
import json
import os
import sys
import time


class Context:
    """Lambda's context object, as far as handlers look at it."""

    function_name = "benchmark"
    function_version = "$LATEST"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:benchmark"
    aws_request_id = "00000000-0000-0000-0000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        """A minute, always."""
        return 60_000


def main() -> None:
    """Import and invoke; what the process took when the handler was imported goes to stderr."""
    bundle, handler, event = sys.argv[1:]
    sys.path.insert(0, bundle)
    module, _, function = handler.rpartition(".")
    invoke = getattr(importlib.import_module(module), function)
    imported = time.process_time()
    answer = invoke(json.loads(event), Context())
    if isinstance(answer, dict) and (answer.get("batchItemFailures") or answer.get("statusCode", 200) != 200):
        raise SystemExit(f"the first event failed: {answer}")
    sys.stdout.flush()
    sys.stderr.write(f"{imported}\n")
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
