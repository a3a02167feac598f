"""A function's bundle: code, dependencies and bytecode, built without Docker and cached by content.

Dependencies and bundle are cached separately in .build/, each under the hash of its inputs: an unchanged
function costs nothing at synthesis, a changed line only a copy. The asset has the same hash, so unchanged sources are
not deployed again.
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path

from infra import bytecode, dependencies, models, sources
from infra.build_cache import once
from infra.dependencies import Target

ROOT = Path(__file__).parent.parent
PORTAL_STYLE = {  # in the portal's bundle, from npm
    "lambdas/portal/vendor/pico.min.css": ROOT / "node_modules/@picocss/pico/css/pico.blue.min.css"
}
CA_BUNDLE = "private-ca.pem"  # in the delivery function's bundle, where the operator gives one
_BUILDERS = (
    Path(__file__),
    Path(bytecode.__file__),
    Path(dependencies.__file__),
    Path(models.__file__),
    Path(sources.__file__),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A finished bundle. `hash` is the hash of all its inputs."""

    folder: Path
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundler:
    """Builds bundles of the functions in the checkout *root* for *target*, cached in *cache*."""

    target: Target
    root: Path = ROOT
    cache: Path = ROOT / ".build"

    def bundle(self, function: str, extra: dict[str, Path] | None = None) -> Bundle:
        """The bundle of the function folder *function*, with *extra* files by their path in it."""
        files = sources.sources(self.root, function) | (PORTAL_STYLE if function == "portal" else {})
        installed = self._dependencies(function, sources.services(files))
        contents = {**files, **(extra or {})}
        key = _hash([installed.name, *_fingerprints(contents)])
        made = once(
            self.cache / "bundles" / f"{function}-{key[:16]}", lambda folder: self._fill(folder, contents, installed)
        )
        return Bundle(folder=made, hash=key)

    def _dependencies(self, function: str, services: frozenset[str]) -> Path:
        lock = self.root / "lambdas" / function / "requirements.txt"
        key = _hash(
            [
                *map(str, astuple(self.target)),
                *sorted(services),
                "bytecode" if self._python() else "no bytecode",
                *_fingerprints({path.name: path for path in (lock, *_BUILDERS)}),
            ]
        )

        def fill(folder: Path) -> None:
            dependencies.install(lock, folder, self.target)
            dependencies.prune(folder, services)
            self._compile(folder)

        return once(self.cache / "dependencies" / f"{function}-{key[:16]}", fill)

    def _fill(self, folder: Path, contents: dict[str, Path], installed: Path) -> None:
        for name, path in contents.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / name)
        self._compile(folder)
        shutil.copytree(installed, folder, copy_function=os.link, dirs_exist_ok=True)

    def _compile(self, folder: Path) -> None:
        if python := self._python():
            bytecode.compile_tree(folder, python)
        else:
            _warn_of_no_bytecode(self.target.python)

    def _python(self) -> str | None:
        return bytecode.interpreter(self.target.python)


@cache
def _warn_of_no_bytecode(python: str) -> None:
    """Computed once per process."""
    print(  # noqa: T201
        f"No Python {python} on this machine: the bundles carry no bytecode, cold starts take up to twice the time. "
        f"`uv python install {python}` installs it.",
        file=sys.stderr,
    )


def _fingerprints(files: dict[str, Path]) -> Iterable[str]:
    for name, path in files.items():
        yield f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}"


def _hash(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
