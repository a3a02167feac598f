"""A function's dependencies, installed from wheels for its platform, without what it cannot need."""

import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from infra import models
from infra.bytecode import uv

_FOLDERS_TO_DROP = ("bin", "tests", "test", "examples", "__pycache__")
_METADATA = "METADATA"  # some libraries read versions from it
_FILES_TO_DROP = ("*.pyi", "py.typed", "*.pyx", "*.pxd", "*.pyd", "*.c", "*.h", "*.rst", ".lock")
_POWERTOOLS = (  # parts that no function imports; the bundles' import test fails when that changes
    *("event_handler", "utilities/auth_alpha", "utilities/batch", "utilities/circuit_breaker"),
    *("utilities/data_classes", "utilities/data_masking", "utilities/feature_flags", "utilities/idempotency"),
    *("utilities/kafka", "utilities/parameters", "utilities/parser", "utilities/streaming", "utilities/validation"),
)
_UNUSED = (
    *(f"aws_lambda_powertools/{part}" for part in _POWERTOOLS),
    "curl",  # a higher level of pycurl's
)
_MODELS = "botocore/data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The platform of a bundle. `platform` is uv's name for it; None: this machine."""

    python: str
    architecture: str
    platform: str | None


# pycurl's wheel wants glibc 2.28; Lambda's Amazon Linux 2023 has 2.34
LAMBDA = Target(python="3.13", architecture="arm64", platform="aarch64-manylinux_2_28")


def host(machine: str) -> Target:
    """This machine with its Python: the embedded AWS runs functions with its own interpreter."""
    return Target(
        python="{}.{}".format(*sys.version_info),
        architecture="arm64" if machine.lower() in ("arm64", "aarch64") else "x86_64",
        platform=None,
    )


def install(lock: Path, folder: Path, target: Target) -> None:
    """Install the hash-locked *lock* into *folder*, from wheels only; raises CalledProcessError."""
    foreign = ["--python-platform", target.platform, "--python-version", target.python] if target.platform else []
    subprocess.run(
        [
            *(str(uv()), "pip", "install", "--quiet", "--no-progress", "--python", sys.executable),
            *("--require-hashes", "--only-binary", ":all:", "--no-deps", "--link-mode", "hardlink", *foreign),
            *("--target", str(folder), "--requirements", str(lock)),
        ],
        check=True,
    )


def prune(folder: Path, services: Iterable[str]) -> None:
    """Remove what no function needs: commands, tests, headers, and the models of all services but *services*."""
    for pattern in _FOLDERS_TO_DROP:
        for path in list(folder.rglob(pattern)):
            if path.is_dir():
                shutil.rmtree(path)
    for pattern in _FILES_TO_DROP:
        for path in list(folder.rglob(pattern)):
            path.unlink(missing_ok=True)
    for path in list(folder.glob("*.dist-info/*")):
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != _METADATA:
            path.unlink()
    for pattern in _UNUSED:
        for path in list(folder.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    models.slim(folder / _MODELS, services)
