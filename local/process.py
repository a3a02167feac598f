"""The embedded AWS's process: ports, start, stop. A process is identified by id and command line."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.emulator.server import HOST, OWNER
from local.recorder import recorded_calls

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT = 30.0  # s: usually under one, more on a busy machine
STOP_TIMEOUT = 10.0  # s until SIGTERM becomes SIGKILL
_POLL = 0.05  # s
_TRIES = 3  # to start on free ports
VARIABLES = ("SES_FEEDBACK_PORT", "SES_FEEDBACK_SMTP_PORT", "SES_FEEDBACK_PORTAL_PORT")
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_children: "dict[int, subprocess.Popen[bytes]]" = {}  # started by this process


class NotStarted(Exception):
    """The embedded AWS did not start; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running embedded AWS."""

    pid: int
    port: int
    smtp_port: int
    log: Path
    portal_port: int = 0

    @property
    def url(self) -> str:
        """The address of its API."""
        return f"http://{HOST}:{self.port}"

    @property
    def portal_url(self) -> str:
        """The address of the portal, once the stack has one."""
        return f"http://{HOST}:{self.portal_port}"


Progress = Callable[[Server], None]


def start(
    folder: Path,
    *,
    port: int = 0,
    smtp_port: int = 0,
    portal_port: int = 0,
    calls: str = "",
    progress: Progress = lambda _: None,
    outlives: bool = False,
) -> Server:
    """Start the embedded AWS in the background, in a process group of its own, its log in *folder*.

    A port of 0 is any free one. The functions' AWS calls are recorded in the file *calls*, if one is given. *progress*
    is called with the process before it answers, so that it can be stopped at any time. Unless it *outlives* this
    process, it stops by itself when this process ends, even if that is killed.
    """
    recording = {recorded_calls.FILE: calls} if calls else {}
    settings = {**recording, OWNER: "" if outlives else str(os.getpid())}
    wanted = (port, smtp_port, portal_port)
    for number, variable in zip(wanted, VARIABLES, strict=True):
        if not is_free(number):
            raise NotStarted(f"Port {number} is taken. Stop what listens there, or choose another: {variable}=...")
    for _ in range(_TRIES - 1):
        try:
            return _start(folder, [number or free_port() for number in wanted], settings, progress)
        except NotStarted:
            if all(wanted):
                raise  # another program may have taken the free port
    return _start(folder, [number or free_port() for number in wanted], settings, progress)


def _start(folder: Path, ports: Sequence[int], settings: Mapping[str, str], progress: Progress) -> Server:
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "aws.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "local.emulator.server", *map(str, ports), str(folder)],
            cwd=ROOT,
            env={**environment(), **settings},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    _children[process.pid] = process
    port, smtp_port, portal_port = ports
    server = Server(pid=process.pid, port=port, smtp_port=smtp_port, portal_port=portal_port, log=log)
    progress(server)
    await_health(server)
    return server


def environment() -> dict[str, str]:
    """This process's environment without variables of another account and without PYTHONDONTWRITEBYTECODE.

    aws-cdk-lib's modules alone take 4 s of CPU to compile at each start.
    """
    unwanted = ("AWS_", "CDK_", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    near = ",".join(filter(None, (os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), HOST, "localhost")))
    return {**kept, "NO_PROXY": near, "no_proxy": near}


def stop(pid: int) -> None:
    """Stop the process group that *pid* leads, and wait until it has ended."""
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
    """Whether *pid* is the running embedded AWS of *folder*, and not another process with a recycled id."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes() if Path("/proc/self").exists() else _command(pid)
    except OSError:
        return False
    return b"local.emulator.server" in command and command.rstrip(b"\0\n ").endswith(str(folder).encode())


def tail(log: Path, lines: int = 20) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""


def _command(pid: int) -> bytes:
    return subprocess.run(["ps", "-o", "command=", "-p", str(pid)], check=False, capture_output=True).stdout


def await_health(server: Server) -> None:
    """Wait until *server* answers. Raises NotStarted with the end of its log."""
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if not _lives(server.pid):
            raise NotStarted(f"The embedded AWS ended. The end of its log, {server.log}:\n{tail(server.log)}")
        try:
            with _direct.open(server.url + "/_ministack/health", timeout=2):
                return
        except OSError:
            time.sleep(_POLL)
    raise NotStarted(f"The embedded AWS did not answer within {START_TIMEOUT:.0f} s. Its log: {server.log}")


def _lives(pid: int) -> bool:
    if pid in _children:
        return _children[pid].poll() is None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _gone(pid: int, timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if pid in _children:
            _children[pid].poll()  # reaps it, so that its group ends
        try:
            os.killpg(pid, 0)
        except (ProcessLookupError, PermissionError):
            _children.pop(pid, None)
            return True
        time.sleep(_POLL)
    return False
