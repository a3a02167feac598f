"""The source files of a function's bundle: its folder, the domain, and the adapters that these import."""

import ast
from collections.abc import Iterator
from pathlib import Path

ADAPTERS = "lambdas.aws"
_LEFT_OUT = ("requirements.in", "requirements.txt")


def sources(root: Path, folder: str) -> dict[str, Path]:
    """The files of function *folder* in the checkout *root*, by their path in the bundle, sorted."""
    files = set(_all_in(root / "lambdas" / folder)) | set(_all_in(root / "lambdas" / "domain"))
    waiting = list(files)
    while waiting:
        for module in adapters_in(waiting.pop()):
            path = root.joinpath(*module.split(".")).with_suffix(".py")
            if path.is_file() and path not in files:
                files.add(path)
                waiting.append(path)
    return {path.relative_to(root).as_posix(): path for path in sorted(files | set(_packages(root, files)))}


def _packages(root: Path, files: set[Path]) -> Iterator[Path]:
    """The `__init__.py` of every package that a file is in."""
    for folder in {folder for path in files for folder in path.relative_to(root).parents}:
        init = root / folder / "__init__.py"
        if folder.parts and init.is_file():
            yield init


def services(files: dict[str, Path]) -> frozenset[str]:
    """The AWS services that *files* make clients of: every `client("name")` in them."""
    return frozenset(name for path in files.values() if path.suffix == ".py" for name in _clients_in(path))


def adapters_in(path: Path) -> Iterator[str]:
    """Imports of `lambdas.aws` anywhere in a file; some are names within a module, not modules."""
    if path.suffix != ".py":
        return
    for node in ast.walk(_parsed(path)):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names if name.name.startswith(ADAPTERS + "."))
            case ast.ImportFrom(module=str(module), names=names, level=0) if f"{module}.".startswith(ADAPTERS + "."):
                yield module
                yield from (f"{module}.{name.name}" for name in names)
            case ast.ImportFrom(level=level) if level:
                raise ValueError(f"{path}: import by full name, so that the bundle can follow it")


def _clients_in(path: Path) -> Iterator[str]:
    for node in ast.walk(_parsed(path)):
        match node:
            case ast.Call(
                func=ast.Name(id="client") | ast.Attribute(attr="client"), args=[ast.Constant(value=str(name)), *_]
            ):
                yield name


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes(), filename=str(path))


def _all_in(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts and path.name not in _LEFT_OUT:
            yield path
