"""The command line says what to do."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from local.cli import app, main
from local.picture import recording_console, save_picture


def test_every_command_has_its_help() -> None:
    """And the list of commands is the help of all."""
    said = CliRunner().invoke(app, ["--help"]).output
    for command in ("up", "down", "status", "send", "publish", "count", "demo", "env"):
        assert command in said
        assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0


def test_without_a_stack_a_command_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a line on standard error, and with a failure's exit status."""
    monkeypatch.setattr("sys.argv", ["local", "--folder", str(tmp_path), "status"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "make up" in capsys.readouterr().err


def test_stopping_nothing_is_no_failure(tmp_path: Path) -> None:
    """It can be said at any time."""
    result = CliRunner().invoke(app, ["--folder", str(tmp_path), "down"])
    assert (result.exit_code, result.output) == (0, "Nothing was running.\n")


def test_a_picture_shows_what_was_printed_and_loads_nothing(tmp_path: Path) -> None:
    """Markdown shows an SVG without access to the network."""
    shown, file = recording_console(), tmp_path / "shown.svg"
    shown.print("an event arrived")
    save_picture(shown, file)
    svg = file.read_text()
    assert "event" in svg
    assert "url(http" not in svg
    assert "@font-face" not in svg
