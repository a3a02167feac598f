"""Has the deployed reputation function evaluate instances again, as if their counters had just changed."""

import json
from collections.abc import Iterable, Sequence
from itertools import islice

from lambdas.aws.clients import client
from ops.deployment.tools import Tools

_BATCH = 25  # instances in a call: each takes some 20 ms, and an API call has to answer within a minute
_COUNTER = "feedback#"  # the kind of item whose change the function listens to


def reevaluate(found: Tools, instance_ids: Iterable[str]) -> list[str]:
    """Evaluate the instances; the ids of those that failed."""
    remaining, failed = iter(instance_ids), list[str]()
    while chunk := list(islice(remaining, _BATCH)):
        failed += _invoke(found.stack.functions["reputation"], chunk)
    return failed


def _invoke(function: str, instance_ids: Sequence[str]) -> list[str]:
    """Call the function with a stream batch of one record per instance; it answers with the records that failed."""
    answer = client("lambda").invoke(FunctionName=function, Payload=json.dumps({"Records": _records(instance_ids)}))
    if answer.get("FunctionError"):
        return list(instance_ids)
    result = json.loads(answer["Payload"].read())
    return [failure["itemIdentifier"] for failure in result.get("batchItemFailures", [])]


def _records(instance_ids: Sequence[str]) -> list[dict[str, object]]:
    return [
        {
            "eventID": f"ops-{instance_id}",
            "eventName": "MODIFY",
            "dynamodb": {
                "SequenceNumber": instance_id,
                "Keys": {"instance_id": {"S": instance_id}, "item": {"S": _COUNTER}},
            },
        }
        for instance_id in instance_ids
    ]
