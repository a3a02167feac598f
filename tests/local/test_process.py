"""The embedded AWS's process comes up, is known again, and goes with everything it started."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local import process
from local.process import NotStarted, Server
from local.stack import LocalStack, NotRunning


def test_a_taken_port_is_said_with_the_remedy(tmp_path: Path) -> None:
    """Before anything is started."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(NotStarted, match=rf"Port {taken} is taken.*SES_FEEDBACK_PORT="):
            process.start(tmp_path, port=taken)
        with pytest.raises(NotStarted, match=rf"Port {taken} is taken.*SES_FEEDBACK_SMTP_PORT="):
            process.start(tmp_path, smtp_port=taken)
    assert not list(tmp_path.iterdir())


def test_a_port_that_is_none_is_said(tmp_path: Path) -> None:
    """The variable is named."""
    with pytest.raises(NotStarted, match=r"SES_FEEDBACK_PORT is '80a'"):
        LocalStack(tmp_path).up(lambda *_: None, environment={"SES_FEEDBACK_PORT": "80a"})


def test_nothing_listens_beyond_this_machine(server: Server) -> None:
    """Neither the API nor SMTP; every IPv4 socket of the process is on 127.0.0.1."""
    table = Path(f"/proc/{server.pid}/net/tcp")
    if not table.exists():
        pytest.skip("no /proc on this machine")
    inodes = {str(link.readlink()) for link in Path(f"/proc/{server.pid}/fd").iterdir() if link.is_symlink()}
    rows = [line.split() for line in table.read_text().splitlines()[1:]]
    listening = [row for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes]
    assert {row[1].partition(":")[0] for row in listening} == {"0100007F"}
    assert {int(row[1].partition(":")[2], 16) for row in listening} == {
        server.port,
        server.smtp_port,
        server.portal_port,
    }


def test_a_process_is_ours_by_its_command_and_folder(server: Server, tmp_path: Path) -> None:
    """A recycled process id belongs to someone else."""
    assert process.is_ours(server.pid, server.log.parent)
    assert not process.is_ours(server.pid, tmp_path)
    assert not process.is_ours(os.getpid(), server.log.parent)


def test_a_stack_that_is_not_running_says_what_to_do(tmp_path: Path) -> None:
    """Whatever an earlier run left behind."""
    stack = LocalStack(tmp_path)
    with pytest.raises(NotRunning, match="make up"):
        stack.facts()
    (tmp_path / "stack.json").write_text("{}")
    (tmp_path / "server.json").write_text('{"pid": 4194305, "port": 1, "smtp_port": 2, "log": "x"}')
    with pytest.raises(NotRunning, match="make up"):
        stack.facts()
    assert stack.down() is False
    assert not (tmp_path / "stack.json").exists()


def test_a_stopped_process_is_gone_and_stopping_again_is_harmless(tmp_path: Path) -> None:
    """Its ports are free again."""
    told: list[Server] = []
    server = process.start(tmp_path, progress=told.append)
    assert told == [server]
    assert not process.is_free(server.port)
    process.stop(server.pid)
    process.stop(server.pid)
    assert not process.is_ours(server.pid, tmp_path)
    assert process.is_free(server.port)
    assert process.is_free(server.smtp_port)


def test_what_a_killed_run_started_stops_by_itself(tmp_path: Path) -> None:
    """`make test` that is terminated, or killed outright, leaves no embedded AWS running."""
    script = (
        "import sys, time; from pathlib import Path; from local import process\n"
        "print(process.start(Path(sys.argv[1])).pid, flush=True); time.sleep(60)"
    )
    run = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert run.stdout
    pid = int(run.stdout.readline())
    assert process.is_ours(pid, tmp_path)

    run.kill()
    run.wait()

    deadline = time.monotonic() + 20
    while process.is_ours(pid, tmp_path) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not process.is_ours(pid, tmp_path)
    run.stdout.close()
