"""Log lines of the functions."""

import json
from collections.abc import Mapping
from typing import Any

from local.clients import Clients


def log_of(facts: Mapping[str, Any], function: str) -> list[dict[str, Any]]:
    """The JSON lines that a function of `facts["functions"]` logged so far, its metrics among them."""
    clients = Clients(facts["aws_endpoint_url"], facts["region"])
    name = facts["functions"][function]
    settings = clients.client("lambda").get_function_configuration(FunctionName=name)["LoggingConfig"]
    pages = clients.client("logs").get_paginator("filter_log_events").paginate(logGroupName=settings["LogGroup"])
    texts = [line for page in pages for event in page["events"] for line in event["message"].splitlines()]
    return [json.loads(text) for text in texts if text.startswith("{")]


def failed_attempts(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The log line of every attempt that failed, in order; see its `delivery_id`, `attempt` and `status`."""
    return [line for line in log_of(facts, "delivery") if line.get("message") == "attempt failed"]
