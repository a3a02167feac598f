"""Records the AWS calls of the functions that the embedded AWS runs; a plugin of botocore in their processes.

The embedded AWS enforces no IAM policy, so a test holds these calls against the functions' roles (tests/iam). botocore
imports the module by `BOTOCORE_EXPERIMENTAL__PLUGINS`, see `worker_environment`. It needs nothing but botocore, because
the folder it is in is on the functions' import path and the rest of this repository is not.

One JSON line a distinct call: `{"function", "service", "operation", "parameters"}`, where *parameters* are the
operation's as the code gave them, long texts and DynamoDB's values left out, except what kind of partition a key names.
"""

import json
import os
from pathlib import Path
from typing import Any

FILE = "SES_FEEDBACK_CALLS"  # where to write; nothing is recorded without it
_LONGEST = 300  # characters: an ARN is shorter, and no text beyond that says whom a call is about
_ATTRIBUTE_VALUE = frozenset({"S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"})
_seen: set[str] = set()


def plugin(file: str, module: str = __name__) -> dict[str, str]:
    """Environment with which clients record their calls in *file*; empty without a file."""
    return {FILE: file, "BOTOCORE_EXPERIMENTAL__PLUGINS": f"recorder={module}"} if file else {}


def worker_environment(file: str) -> dict[str, str]:
    """Environment with which a function's process records its calls in *file*."""
    path = Path(__file__).resolve()
    return {**plugin(file, path.stem), "PYTHONPATH": str(path.parent)} if file else {}


def initialize_client_plugin(client: Any) -> None:
    """Called by botocore with each client that is made."""
    file, function = Path(os.environ[FILE]), os.environ["AWS_LAMBDA_FUNCTION_NAME"]
    service = client.meta.service_model.service_name

    def record(params: Any, model: Any, **_: object) -> None:
        call = {"function": function, "service": service, "operation": model.name, "parameters": _brief(params)}
        _write(file, json.dumps(call, sort_keys=True))

    client.meta.events.register("before-parameter-build", record)


def _write(file: Path, line: str) -> None:
    if line not in _seen:
        _seen.add(line)
        with file.open("a") as appended:  # one write a line: many processes append to the file
            appended.write(line + "\n")


def _brief(value: Any) -> Any:
    match value:
        case dict() if len(value) == 1 and _ATTRIBUTE_VALUE.issuperset(value):
            return None
        case {"pk": {"S": str(partition)}} if "#" in partition:  # IAM knows an item's partition: dynamodb:LeadingKeys
            return {**{str(key): None for key in value}, "pk": partition.partition("#")[0] + "#"}
        case dict():
            return {str(key): _brief(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_brief(inner) for inner in value]
        case str() if len(value) <= _LONGEST:
            return value
        case bool() | int() | float():
            return value
        case _:
            return None
