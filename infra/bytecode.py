"""Bytecode for the Python a bundle runs on. Without it a cold start costs 1.6 to 2.2 times the CPU."""

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

TASK = "/var/task"  # where Lambda unpacks a bundle


@cache
def interpreter(version: str) -> str | None:
    """The path of a Python *version* ("3.13") on this machine; None when there is none."""
    return next((path for path in _candidates(version) if _runs(path, version)), None)


def compile_tree(folder: Path, python: str) -> None:
    """Compile every module below *folder* by the interpreter *python*; raises CalledProcessError.

    Unchecked hashes: Lambda never compares a .pyc with its source, so no time stamp is in it, and the same source
    gives the same bytes. The fixed hash seed keeps the order of constant sets.
    """
    subprocess.run(
        [
            *(python, "-s", "-m", "compileall", "-qq", "-f", "--invalidation-mode", "unchecked-hash"),
            *("-s", str(folder), "-p", TASK, str(folder)),
        ],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": "", "PYTHONOPTIMIZE": ""},
    )


def _candidates(version: str) -> Iterator[str]:
    yield sys.executable
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        yield str(Path(folder, f"python{version}"))
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    yield from map(str, sorted(pyenv.glob(f"{version}.*/bin/python{version}"), reverse=True))
    managed = _output([str(uv()), "python", "find", "--managed-python", "--no-python-downloads", version])
    if managed:
        yield managed


def _runs(path: str, version: str) -> bool:
    return os.access(path, os.X_OK) and version == _output(
        [path, "-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    )


def _output(command: list[str]) -> str | None:
    """The output of *command*; None if it fails (pyenv leaves shims on the path that fail)."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


@cache
def uv() -> Path:
    """The uv of this environment."""
    return Path(sys.executable).with_name("uv")
