"""What the deploy shows on a terminal, and where there is none."""

import io

import pytest
from rich.console import Console

from local.showing import deploying


def follow(console: Console) -> None:
    """A deploy of a hundred resources."""
    with deploying(console) as watch:
        watch("starting the embedded AWS", 0.0)
        for number in range(100):
            watch(f"deploying AWS::SQS::Queue{number}", number / 100)


@pytest.mark.parametrize("variable", ["", "FORCE_COLOR", "TTY_COMPATIBLE"])
def test_a_log_gets_a_line_a_phase(variable: str) -> None:
    """Also in CI systems that ask for colours."""
    file = io.StringIO()
    follow(Console(file=file, _environ={variable: "1"} if variable else {}))
    assert file.getvalue().splitlines() == ["starting the embedded AWS ...", "deploying ..."]


class Terminal(io.StringIO):
    """A file that says it is a terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def test_a_terminal_gets_a_bar_that_vanishes() -> None:
    """Drawn over and over in one place."""
    file = Terminal()
    follow(Console(file=file, _environ={"TERM": "xterm", "COLUMNS": "80"}))
    assert "\x1b[" in file.getvalue()
    assert file.getvalue().count("\n") < 10
