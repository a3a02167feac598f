"""What an alarm advises can be typed: the commands exist, and so do the queues and functions that they name."""

import re
import shlex
from typing import Any

from ops.troubleshooting.dead_letters import HOME
from tests.infra.synthesis import Synthesis, synthesise
from tests.ops.typing_in import parsed

_COMMAND = re.compile(r"`python -m ops ([^`]*)`")


def advice(description: str) -> list[list[str]]:
    """The commands that an alarm's description names, as words."""
    return [shlex.split(command) for command in _COMMAND.findall(description)]


def output(stack: Synthesis, name: str) -> str:
    """An output that is a JSON object with references in it, as text."""
    value: Any = stack.output(name)
    return "".join(part for part in value["Fn::Join"][1] if isinstance(part, str))


def test_every_alarm_names_a_command_that_can_be_typed() -> None:
    """An operator reads it at three in the morning."""
    stack = synthesise("us-east-1")
    queues, functions = output(stack, "Queues"), output(stack, "Functions")
    for alarm in stack.properties("AWS::CloudWatch::Alarm"):
        commands = advice(alarm["AlarmDescription"])
        assert commands, alarm["AlarmDescription"]
        for words in commands:
            parsed(words)
            if words[0] == "dlq":
                assert words[2] in HOME
                assert f'"{words[2]}":' in queues
            if words[0] == "errors":
                assert f'"{words[1]}":' in functions
