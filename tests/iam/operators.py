"""What IAM asks of an operator for the calls of `python -m ops`, from a recording (local.recorder)."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from local.recorder import recorded_calls
from ops.deployment.rights import ADMINISTRATORS, written
from tests.iam.mapping import WRITES, Unmapped, known
from tests.ops.typing_in import ROOT

_BY = "ops "  # the recorded name of a command begins so; functions' names do not
_PREFIXES = {"sesv2": "ses", "service-quotas": "servicequotas"}
_ACTIONS = {  # operations whose action has another name: the Service Authorization Reference
    "lambda:Invoke": "lambda:InvokeFunction",
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
}
_KEY = {  # what encryption with a customer key adds: the SQS, SNS and Secrets Manager guides on key management
    "sqs:SendMessage": ("kms:Decrypt", "kms:GenerateDataKey"),
    "sqs:ReceiveMessage": ("kms:Decrypt",),
    "sns:Publish": ("kms:Decrypt", "kms:GenerateDataKey"),
    "secretsmanager:GetSecretValue": ("kms:Decrypt",),
    "secretsmanager:PutSecretValue": ("kms:Decrypt", "kms:GenerateDataKey"),
}


def recording(calls: str, words: Sequence[str]) -> dict[str, str]:
    """What a process needs in its environment to record the calls of `python -m ops WORDS` in the file *calls*."""
    name = {"AWS_LAMBDA_FUNCTION_NAME": _BY + command_of(words)}
    return {**recorded_calls.plugin(calls, recorded_calls.__name__), **name} if calls else {}


def command_of(words: Sequence[str]) -> str:
    """The command that typed words name, such as `webhooks list`, without its arguments."""
    command, found = ROOT, []
    for word in words:
        if not hasattr(command, "commands"):
            break
        command = command.commands[word]
        found.append(word)
    return " ".join(found)


def recorded(calls: Path) -> dict[str, set[str]]:
    """The IAM actions of each recorded command, those that are run as an administrator left out. Raises Unmapped."""
    found: dict[str, set[str]] = defaultdict(set)
    for call in map(json.loads, calls.read_text().splitlines()):
        command = call["function"].removeprefix(_BY)
        if command != call["function"] and command not in ADMINISTRATORS:
            found[command].update(_actions(call))
    return dict(found)


def unlisted(calls: Path) -> dict[str, list[str]]:
    """What commands of a recording needed and ops/deployment/rights.json does not list. Add it there."""
    listed = written()
    found = recorded(calls) if calls.exists() else {}
    missing = {command: sorted(actions - set(listed.get(command, []))) for command, actions in found.items()}
    return {command: actions for command, actions in missing.items() if actions}


def _actions(call: Mapping[str, Any]) -> Iterator[str]:
    for action in _plain_actions(call):
        if not known(action):
            raise Unmapped(f"{call['service']}:{call['operation']} was taken for {action}, which AWS does not know")
        yield action
        yield from ("kms:Decrypt",) if action.startswith("dynamodb:") else _KEY.get(action, ())


def _plain_actions(call: Mapping[str, Any]) -> Iterator[str]:
    if call["operation"] == "TransactWriteItems":
        kinds = {kind for item in call["parameters"]["TransactItems"] for kind in item}
        yield from (f"dynamodb:{WRITES[kind]}" for kind in sorted(kinds))
        return
    action = f"{_PREFIXES.get(call['service'], call['service'])}:{call['operation']}"
    yield _ACTIONS.get(action, action)
