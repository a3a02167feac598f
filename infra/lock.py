"""`python -m infra.lock`: lock each function's dependencies at the versions of the project's lock file."""

import subprocess
import sys
from pathlib import Path

from infra.bundle import ROOT
from infra.bytecode import uv

FUNCTIONS = ("broker", "delivery", "feedback", "portal", "reputation")


def lock(folder: Path) -> None:
    """Compile *folder*'s requirements.in to requirements.txt, with hashes and without naming a registry."""
    subprocess.run(
        [
            *(str(uv()), "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"),
            *("--generate-hashes", "--no-emit-index-url", "--custom-compile-command", "make lock"),
            *("--constraints", "../../requirements.txt", "requirements.in", "--output-file", "requirements.txt"),
        ],
        check=True,
        cwd=folder,
    )


def main() -> int:
    """Lock every function."""
    for function in FUNCTIONS:
        lock(ROOT / "lambdas" / function)
    return 0


if __name__ == "__main__":
    sys.exit(main())
