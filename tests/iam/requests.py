"""requests.txt: what the functions ask IAM for, a line a request, as the journeys recorded it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.iam.mapping import CallMapping

FILE = Path(__file__).with_name("requests.txt")
ABSENT_TABLE = "absent"  # what a journey has a function ask for on purpose, as after a bad deployment


@dataclass(frozen=True, slots=True, order=True)
class Asked:
    """A function asks for *action* on *resource*; *context* are the condition keys, sorted."""

    function: str
    action: str
    resource: str
    context: tuple[tuple[str, str], ...] = field(default=())

    @classmethod
    def parse(cls, line: str) -> "Asked":
        """A line of requests.txt: function, action, resource, and `key=value` for each condition key."""
        function, action, resource, *context = line.split()
        pairs = (pair.rpartition("=") for pair in context)
        return cls(function, action, resource, tuple((key, value) for key, _, value in pairs))

    def __str__(self) -> str:
        return " ".join([self.function, self.action, self.resource, *(f"{key}={value}" for key, value in self.context)])


def written() -> list[Asked]:
    """The lines of requests.txt."""
    lines = FILE.read_text().splitlines()
    return [Asked.parse(line) for line in lines if line and not line.startswith("#")]


def recorded(calls: Path, facts: Mapping[str, Any], stack_resources: Iterable[Mapping[str, Any]]) -> set[Asked]:
    """What a recording (see local.recorder) of a deployed stack comes to. Raises Unmapped.

    Functions of other stacks, such as the acceptance journey's receiver, are left out.
    """
    functions = {name: short for short, name in facts["functions"].items()}
    return asked_in(calls, short_names(facts, stack_resources), functions)


def asked_in(calls: Path, names: Mapping[str, str], functions: Mapping[str, str]) -> set[Asked]:
    """What a recording comes to. *names* as `short_names` gives them, *functions* by their names in AWS."""
    mapping = CallMapping(names)
    recorded_calls = map(json.loads, calls.read_text().splitlines())
    ours = [call for call in recorded_calls if call["function"] in functions and not _is_of_a_rehearsal(call)]
    return {asked for call in ours for asked in _asked(call, mapping, functions)}


def _is_of_a_rehearsal(call: Mapping[str, Any]) -> bool:
    """Whether the call was made to fail."""
    return f'"{ABSENT_TABLE}"' in json.dumps(call["parameters"])


def _asked(call: Mapping[str, Any], mapping: CallMapping, functions: Mapping[str, str]) -> Iterator[Asked]:
    for action, resource, context in mapping.requests(call["service"], call["operation"], call["parameters"]):
        yield Asked(functions[call["function"]], action, resource, tuple(sorted(context.items())))


def short_names(facts: Mapping[str, Any], stack_resources: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """How requests.txt names the deployed stack's resources, by their names in AWS."""
    owned = {_name(one["PhysicalResourceId"]): _of_kind(one) for one in stack_resources}
    return {
        **{name: short for name, short in owned.items() if short},
        **{name: f"table/{short}" for short, name in facts["tables"].items()},
        **{_name(url): f"queue/{short}" for short, url in facts["queues"].items()},
        _name(facts["operator_topic_arn"]): "topic/operator",
    }


def _of_kind(resource: Mapping[str, Any]) -> str:
    """How requests.txt names a resource of which there is one of its kind; empty for others."""
    match resource["ResourceType"]:
        case "AWS::KMS::Key":
            return "key"
        case "AWS::IAM::ManagedPolicy":
            return "boundary"
        case "AWS::SecretsManager::Secret":
            return "secret/broker" if resource["LogicalResourceId"].startswith("Broker") else "secret/portal"
    return ""


def _name(physical_id: str) -> str:
    """The last part of an ARN or URL, or the name that it is."""
    return physical_id.rpartition("/")[2].rpartition(":")[2]
