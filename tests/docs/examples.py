"""Builds and starts what stands in docs/examples, each in a temporary folder."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
START_SECONDS = 60.0  # until a receiver accepts connections; a Java virtual machine takes some
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A folder of docs/examples. `build` and `start` are run in a copy of it; `needs` are commands that must exist."""

    name: str
    needs: tuple[str, ...]
    build: tuple[tuple[str, ...], ...]
    start: tuple[str, ...]
    path: str = "/webhooks/ses"
    database: str = "events.db"


def _python(name: str, path: str = "/webhooks/ses") -> Example:
    return Example(
        name=name,
        needs=("uv",),
        build=(
            ("uv", "venv", "--quiet", "--python", sys.executable, ".venv"),
            ("uv", "pip", "sync", "--quiet", "--python", ".venv", "--require-hashes", "requirements.txt"),
        ),
        start=(".venv/bin/python", "app.py"),
        path=path,
    )


def _node(name: str) -> Example:
    return Example(name=name, needs=("node", "npm"), build=(("npm", "ci", "--silent"),), start=("node", "app.js"))


def _java(name: str) -> Example:
    return Example(
        name=name,
        needs=("java", "mvn"),
        build=(("mvn", "--quiet", "--batch-mode", "package"),),
        start=("java", "-jar", "target/receiver.jar"),
        database="events",
    )


RECEIVERS = (
    _python("python-flask"),
    _python("python-fastapi"),
    _node("node-express"),
    _node("node-fastify"),
    Example(name="go", needs=("go",), build=(("go", "test", "."), ("go", "build", "-o", "app")), start=("./app",)),
    _java("java-spring"),
)
DJANGO = _python("python-django", path="/anymail/amazon_ses/tracking/")


SENDERS = tuple(
    replace(example, start=start)
    for example, start in (
        (_python("send-python"), (".venv/bin/python", "smtp.py")),
        (_python("send-python"), (".venv/bin/python", "api.py")),
        (_node("send-node"), ("node", "smtp.js")),
        (_java("send-java"), ("java", "-jar", "target/send.jar")),
    )
)


def missing(example: Example) -> list[str]:
    """The commands that *example* needs and this machine lacks."""
    return [command for command in example.needs if shutil.which(command, path=PATH) is None]


def built(example: Example, folder: Path) -> Path:
    """Build a copy of *example* in *folder*; fails with what the build printed."""
    copy = folder / example.name
    shutil.copytree(EXAMPLES / example.name, copy, ignore=shutil.ignore_patterns("node_modules", "target", ".venv"))
    environment = {**os.environ, "PATH": PATH}
    for command in example.build:
        done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return copy


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A receiver that accepts connections; `log` is what it prints."""

    url: str
    log: Path

    def post(self, body: str, headers: dict[str, str]) -> int:
        """POST *body*; the status of the answer."""
        return httpx.post(self.url, content=body.encode(), headers=headers, timeout=30).status_code


@contextmanager
def running(example: Example, folder: Path, environment: dict[str, str]) -> Iterator[Running]:
    """Start a built *example*, wait until it accepts connections, and stop it at the end."""
    port, log = _free_port(), folder / "receiver.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            example.start,
            cwd=folder,
            env={"PATH": PATH, "PORT": str(port), "DATABASE": str(folder / example.database), **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # `node` may be a wrapper that does not pass signals on
        )
    try:
        _wait_until_open(port, process, log)
        yield Running(url=f"http://127.0.0.1:{port}{example.path}", log=log)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


def _wait_until_open(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError(f"the receiver does not accept connections:\n{log.read_text()[-3000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
