"""The embedded AWS's process: ports, start, stop. A process is known by its id and command, never by its name alone."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from local.server import HOST

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT = 30.0  # s: under one alone, more on a busy machine
STOP_TIMEOUT = 10.0  # s until SIGTERM becomes SIGKILL
_POLL = 0.05  # s
_children: "dict[int, subprocess.Popen[bytes]]" = {}  # those started by this very process


class NotStarted(Exception):
    """The embedded AWS did not come up; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running embedded AWS."""

    pid: int
    port: int
    smtp_port: int
    log: Path

    @property
    def url(self) -> str:
        """Where its API is."""
        return f"http://{HOST}:{self.port}"


def start(folder: Path, *, port: int, smtp_port: int) -> Server:
    """Start the embedded AWS in the background, in a process group of its own, its log in *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, variable in ((port, "SES_FEEDBACK_PORT"), (smtp_port, "SES_FEEDBACK_SMTP_PORT")):
        if not is_free(number):
            raise NotStarted(f"Port {number} is taken. Stop what listens there, or choose another: {variable}=...")
    log = folder / "aws.log"
    command = [sys.executable, "-m", "local.server", str(port), str(smtp_port), str(folder)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    _children[process.pid] = process
    server = Server(pid=process.pid, port=port, smtp_port=smtp_port, log=log)
    _await_health(server, process)
    return server


def environment() -> dict[str, str]:
    """This process's environment without what would lead astray: another account, or a ban on bytecode.

    aws-cdk-lib's modules alone take 4 s of CPU to compile at each start.
    """
    unwanted = ("AWS_", "CDK_", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
    return {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}


def stop(pid: int) -> None:
    """Stop the process group that *pid* leads, and wait until it is gone."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(pid, kind)
        except (ProcessLookupError, PermissionError):
            return
        if _gone(pid, STOP_TIMEOUT):
            return


def is_free(port: int) -> bool:
    """Whether *port* can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def is_ours(pid: int, folder: Path) -> bool:
    """Whether *pid* is the living embedded AWS of *folder*: a recycled id belongs to something else."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes() if Path("/proc/self").exists() else _command(pid)
    except OSError:
        return False
    return b"local.server" in command and str(folder).encode() in command


def tail(log: Path, lines: int = 20) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""


def _command(pid: int) -> bytes:
    return subprocess.run(["ps", "-o", "command=", "-p", str(pid)], check=False, capture_output=True).stdout


def _await_health(server: Server, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise NotStarted(f"The embedded AWS ended at once. Its log, {server.log}:\n{tail(server.log)}")
        try:
            with urllib.request.urlopen(server.url + "/_ministack/health", timeout=2):  # noqa: S310  our own
                return
        except OSError:
            time.sleep(_POLL)
    stop(server.pid)
    raise NotStarted(f"The embedded AWS did not answer within {START_TIMEOUT:.0f} s. Its log: {server.log}")


def _gone(pid: int, timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if pid in _children:
            _children[pid].poll()  # reaps it, so that its group can vanish
        try:
            os.killpg(pid, 0)
        except (ProcessLookupError, PermissionError):
            _children.pop(pid, None)
            return True
        time.sleep(_POLL)
    return False
