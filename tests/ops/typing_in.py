"""The commands' words, as a person types them."""

from collections.abc import Iterator
from typing import Any

import typer

from ops.__main__ import app

ROOT = typer.main.get_command(app)


def commands(group: Any = ROOT, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command."""
    if not hasattr(group, "commands"):
        yield path
        return
    for name, command in group.commands.items():
        yield from commands(command, (*path, name))


def parsed(words: list[str]) -> None:
    """Parse words as the command line does, without running anything. Raises click's UsageError."""
    command: Any = ROOT
    while hasattr(command, "commands"):
        command, words = command.commands[words[0]], words[1:]
    command.make_context("ops", list(words))
