"""What the functions logged, read from CloudWatch Logs: JSON lines, as they write them.

FilterLogEvents costs nothing per call and needs no index; it reads a log group from the beginning of the given time on,
so a narrow time is quick and a wide one slow.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from lambdas.aws.clients import client
from ops.deployment.stack import Stack

Line = dict[str, Any]
AT = "at"  # the key under which a line carries the moment at which it was logged


@dataclass(frozen=True)
class FunctionLogs:
    """The log of one of the stack's functions, by its logical name (`delivery`, `feedback`, ...)."""

    stack: Stack
    function: str

    def lines(self, *, containing: str, since: datetime, until: datetime) -> Iterator[Line]:
        """The JSON lines that contain the text *containing*, in order; what is not JSON comes as `message`."""
        pages = (
            client("logs")
            .get_paginator("filter_log_events")
            .paginate(
                logGroupName=self._group,
                filterPattern=json.dumps(containing),  # a quoted phrase: ids hold dashes, which are operators otherwise
                startTime=_milliseconds(since),
                endTime=_milliseconds(until),
            )
        )
        for event in (event for page in pages for event in page["events"]):
            at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
            for text in event["message"].splitlines():
                if containing in text:
                    yield {**_parsed(text), AT: at}

    @cached_property
    def _group(self) -> str:
        name = self.stack.functions[self.function]
        answer = client("lambda").get_function_configuration(FunctionName=name)
        return str(answer.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{name}")


def _parsed(text: str) -> Line:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"message": text}


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
