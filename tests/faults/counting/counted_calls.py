"""Counts the AWS calls of functions that the embedded AWS runs; a plugin of botocore in their processes.

It appends a line `<function> <operation>` to a file for each call. botocore imports it by
`BOTOCORE_EXPERIMENTAL__PLUGINS`; its folder is on the functions' import path, so it needs only the standard library.
"""

import os
from collections import Counter
from pathlib import Path
from typing import Any

FILE = "SES_FEEDBACK_CALL_COUNTS"  # where to write


def variables(file: Path) -> dict[str, str]:
    """The environment variables with which a function counts its calls in *file*."""
    here = Path(__file__).resolve()
    return {FILE: str(file), "BOTOCORE_EXPERIMENTAL__PLUGINS": f"counter={here.stem}", "PYTHONPATH": str(here.parent)}


def counts(file: Path) -> Counter[str]:
    """How often each function made each operation so far, by `<function> <operation>`."""
    return Counter(file.read_text().splitlines()) if file.exists() else Counter()


def initialize_client_plugin(client: Any) -> None:
    """Called by botocore with each client that is made."""
    file = os.open(os.environ[FILE], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    function = os.environ["AWS_LAMBDA_FUNCTION_NAME"]

    def count(model: Any, **_: object) -> None:
        os.write(file, f"{function} {model.name}\n".encode())  # one write a line: many processes append

    client.meta.events.register("before-call", count)
