"""Every command that the documentation shows exists; each block is run, or is marked."""

import re
import shlex

import pytest
from typer.main import get_command

from local.cli import app as local_app
from tests.docs.blocks import REAL_ACCOUNT, ROOT, RUN_BY, Block, blocks
from tests.ops.typing_in import commands, parsed

BLOCKS = list(blocks())
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
RUN_HERE = ("python -m ops", "python -m local", "make up", "make down", "make status", "python -m infra.context")


def words(command: str) -> list[str]:
    """A command's words, without comments and without what the shell does afterwards."""
    return shlex.split(re.split(r"\s\|\|\s|\s\|\s|\s>\s", command)[0].removeprefix(".venv/bin/"), comments=True)


def test_the_documentation_has_blocks_of_commands() -> None:
    """Else this file tests nothing."""
    assert len(BLOCKS) > 20
    assert {"README.md", "docs/operators.md", "docs/tenants.md"} <= {block.page for block in BLOCKS}


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_is_run_on_the_embedded_aws_or_says_who_runs_it(block: Block) -> None:
    """A marker has a reason, or a file that exists; without one, every command is one that can be run here."""
    if block.marker.startswith(REAL_ACCOUNT):
        assert block.marker.removeprefix(REAL_ACCOUNT).strip()
    elif block.marker.startswith(RUN_BY):
        assert (ROOT / block.marker.removeprefix(RUN_BY)).exists()
    else:
        assert not block.marker, f"unknown marker: {block.marker}"
        for command in block.commands:
            assert command.removeprefix(".venv/bin/").startswith(RUN_HERE), (
                f"{block}: {command!r} is not run by any test; put a marker before the block (see tests/docs/blocks.py)"
            )


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_every_command_of_ours_exists_with_its_options(block: Block) -> None:
    """Also in blocks that are not run here."""
    for command in block.commands:
        match words(command):
            case ["python", "-m", "ops", "--version"]:
                pass
            case ["python", "-m", "ops", *rest]:
                parsed(rest)
            case ["python", "-m", "local", name, *_]:
                assert name in get_command(local_app).commands  # type: ignore[attr-defined]
            case ["make", target, *_]:
                assert target in TARGETS


@pytest.mark.parametrize("command", [" ".join(words) for words in commands()])
def test_the_operators_guide_names_every_command(command: str) -> None:
    """By the task that it is for."""
    assert f"python -m ops {command}" in (ROOT / "docs" / "operators.md").read_text()
