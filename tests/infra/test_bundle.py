"""The functions' bundles: what is in them, that nothing is missing, and that they can be made again."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra import bytecode, dependencies
from infra.bundle import CA_BUNDLE, ROOT, Bundle, Bundler, _warn_of_no_bytecode
from infra.dependencies import LAMBDA, Target, host
from infra.lock import FUNCTIONS
from infra.sources import services, sources

pytestmark = pytest.mark.xdist_group("bundles")

MEGABYTE = 1024 * 1024
ENTRIES = [
    ("feedback", "handler"),
    ("delivery", "handler"),
    ("delivery", "release"),
    ("broker", "handler"),
    ("broker", "worker"),
    ("broker", "cleanup"),
    ("portal", "handler"),
    ("portal", "replay"),
    ("reputation", "handler"),
    ("reputation", "reconcile"),
]
HOST = Bundler(target=host(platform.machine()))

_IMPORT_ALL = """
import importlib, pathlib, sys
bundle = pathlib.Path(sys.argv[1])
sys.path.append(str(bundle))
for path in sorted(bundle.glob("lambdas/**/*.py")):
    name = ".".join(path.relative_to(bundle).with_suffix("").parts).removesuffix(".__init__")
    importlib.import_module(name)
for entry in sys.argv[2:]:
    module, _, name = entry.rpartition(".")
    assert callable(getattr(sys.modules[module], name)), entry
"""
_MAKE_CLIENTS = """
import sys
sys.path.append(sys.argv[1])
from botocore.session import Session
keys = {"aws_access_key_id": "id", "aws_secret_access_key": "secret"}
for service in sys.argv[2:]:
    client = Session().create_client(service, region_name="us-gov-west-1", **keys)
    assert client.meta.endpoint_url
"""


def _bare(code: str, *arguments: str) -> None:
    """Run in an interpreter that sees the standard library alone."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_bare_interpreter_imports_all_of_ours_from_the_bundle_alone(function: str) -> None:
    """The embedded AWS sees this environment's packages, so that it would not notice one that is missing."""
    bundle = HOST.bundle(function)
    entries = [f"lambdas.{folder}.handler.{name}" for folder, name in ENTRIES if folder == function]
    _bare(_IMPORT_ALL, str(bundle.folder), *entries)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_pruned_bundle_makes_every_client_the_function_asks_for(function: str) -> None:
    """Of botocore's models only those of these services are left."""
    wanted = services(sources(ROOT, function))
    assert wanted
    bundle = HOST.bundle(function)
    _bare(_MAKE_CLIENTS, str(bundle.folder), *sorted(wanted))
    models = {path.name for path in (bundle.folder / "botocore" / "data").iterdir() if path.is_dir()}
    assert models == wanted


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_bundle_holds_no_other_function_and_no_adapter_it_does_not_import(function: str) -> None:
    """Nor anything of how it was installed."""
    folder = HOST.bundle(function).folder
    assert {path.name for path in (folder / "lambdas").iterdir() if path.is_dir()} - {"__pycache__"} == {
        *("domain", "aws", function)
    }
    adapters = {path.relative_to(folder).as_posix() for path in (folder / "lambdas" / "aws").rglob("*.py")}
    assert adapters == {name for name in sources(ROOT, function) if name.startswith("lambdas/aws/")}
    assert {path.name for path in folder.glob("*.dist-info/*")} == {"METADATA"}
    assert not list(folder.glob("lambdas/**/requirements.*"))


def test_a_bundle_for_lambda_is_for_arm64_and_python_3_13_with_bytecode() -> None:
    """Whatever machine it is made on."""
    folder = Bundler(target=LAMBDA).bundle("delivery").folder
    binaries = [path for path in folder.rglob("*.so*") if path.is_file()]
    assert {path.name.partition(".")[0] for path in binaries} >= {"_pycurl", "_core"}
    for path in binaries:
        assert path.read_bytes()[18:20] == b"\xb7\0", path  # ELF's e_machine: AArch64
        assert path.parent.name.endswith(".libs") or path.name.endswith(".cpython-313-aarch64-linux-gnu.so")
    if bytecode.interpreter(LAMBDA.python):
        assert (folder / "lambdas" / "delivery" / "__pycache__" / "handler.cpython-313.pyc").is_file()
        assert (folder / "botocore" / "__pycache__" / "session.cpython-313.pyc").is_file()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_bundle_stays_small(function: str) -> None:
    """Lambda unpacks it on a cold start; 16 MB of delivery's are libcurl, half of the portal's is cryptography."""
    size = sum(path.stat().st_size for path in HOST.bundle(function).folder.rglob("*") if path.is_file())
    assert size < {"broker": 16, "delivery": 30, "portal": 45}.get(function, 13) * MEGABYTE


def test_the_bytecode_is_never_compared_with_its_source() -> None:
    """Unchecked hashes: no time stamp in it, no look at the source on a cold start."""
    folder = HOST.bundle("feedback").folder
    compiled = next((folder / "lambdas" / "feedback" / "__pycache__").glob("handler.*.pyc"))
    flags = int.from_bytes(compiled.read_bytes()[4:8], "little")
    assert flags == 0b01  # hash-based, check_source unset: PEP 552


def test_the_same_sources_make_the_same_bundle_elsewhere(tmp_path: Path) -> None:
    """Byte by byte, and so the same asset hash: nothing is deployed anew."""
    made = [_with_one_dependency(tmp_path / name) for name in ("one", "another/place")]
    assert list(made[0].folder.glob("msgspec/*.so"))
    assert made[0].hash == made[1].hash
    assert _contents(made[0].folder) == _contents(made[1].folder)


def test_a_changed_line_changes_the_bundle_and_keeps_the_dependencies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second is a copy, not an installation."""
    _checkout(tmp_path)
    monkeypatch.setattr(dependencies, "install", lambda _lock, folder, _target: (folder / "library.py").touch())
    bundler = Bundler(target=HOST.target, root=tmp_path, cache=tmp_path / "cache")
    first = bundler.bundle("feedback")
    handler = tmp_path / "lambdas" / "feedback" / "handler.py"
    handler.write_text(handler.read_text() + "\n# changed\n")
    second = bundler.bundle("feedback")
    assert first.hash != second.hash
    assert len(list((tmp_path / "cache" / "dependencies").iterdir())) == 1


def test_an_unchanged_function_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A synthesis that changes nothing costs nothing."""
    _checkout(tmp_path)
    bundler = Bundler(target=HOST.target, root=tmp_path, cache=tmp_path / "cache")
    monkeypatch.setattr(dependencies, "install", lambda _lock, folder, _target: (folder / "library.py").touch())
    first = bundler.bundle("feedback")
    monkeypatch.setattr(dependencies, "install", _never)
    assert bundler.bundle("feedback") == first


def test_a_bundle_that_nobody_asked_for_in_a_day_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was asked for stays, however old it is."""
    _checkout(tmp_path)
    monkeypatch.setattr(dependencies, "install", lambda _lock, folder, _target: (folder / "library.py").touch())
    bundler = Bundler(target=HOST.target, root=tmp_path, cache=tmp_path / "cache")
    old, asked_for = bundler.bundle("feedback"), bundler.bundle("reputation")
    for bundle in (old, asked_for):
        os.utime(bundle.folder, (0, 0))
    assert bundler.bundle("reputation") == asked_for
    bundler.bundle("broker")
    assert (old.folder.exists(), asked_for.folder.exists()) == (False, True)


def test_without_an_interpreter_of_the_target_the_bundle_says_that_it_has_no_bytecode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It works all the same, only slower; it is another asset."""
    _checkout(tmp_path)
    monkeypatch.setattr(dependencies, "install", lambda _lock, folder, _target: (folder / "library.py").touch())
    target = Target(python="3.99", architecture="arm64", platform=None)
    bundle = Bundler(target=target, root=tmp_path, cache=tmp_path / "cache").bundle("feedback")
    assert not list(bundle.folder.rglob("*.pyc"))
    assert "No Python 3.99 on this machine" in capsys.readouterr().err


def test_an_installation_that_fails_leaves_no_half_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next synthesis begins anew, and does not deploy what is there of it."""
    _checkout(tmp_path)
    bundler = Bundler(target=HOST.target, root=tmp_path, cache=tmp_path / "cache")
    monkeypatch.setattr(dependencies, "install", _never)
    with pytest.raises(AssertionError):
        bundler.bundle("feedback")
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_the_operator_s_certificates_travel_with_delivery(tmp_path: Path) -> None:
    """And another certificate is another asset."""
    pem = tmp_path / "ca.pem"
    pem.write_text("-----BEGIN CERTIFICATE-----\n")
    bundle = HOST.bundle("delivery", {CA_BUNDLE: pem})
    assert (bundle.folder / CA_BUNDLE).read_text() == pem.read_text()
    assert bundle.hash != HOST.bundle("delivery").hash


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_lock_pins_what_the_project_pins_and_names_no_registry(function: str) -> None:
    """What was tested is what is deployed."""
    project = _pins(ROOT / "requirements.txt")
    lock = ROOT / "lambdas" / function / "requirements.txt"
    pinned = _pins(lock)
    assert pinned
    assert pinned.items() <= project.items()
    assert "://" not in lock.read_text()


def _with_one_dependency(folder: Path) -> Bundle:
    """A bundle with a compiled dependency, quickly installed."""
    _checkout(folder)
    lock = folder / "lambdas" / "feedback" / "requirements.txt"
    _, found, rest = lock.read_text().partition("\nmsgspec==")
    lock.write_text(found.lstrip() + rest.partition("    # via")[0])
    return Bundler(target=HOST.target, root=folder, cache=folder / "cache").bundle("feedback")


def _checkout(folder: Path) -> None:
    shutil.copytree(ROOT / "lambdas", folder / "lambdas", ignore=shutil.ignore_patterns("__pycache__"))


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _never(*_: object) -> None:
    raise AssertionError("nothing was to be installed")


def _pins(lock: Path) -> dict[str, str]:
    lines = (line.split(" ")[0] for line in lock.read_text().splitlines() if "==" in line and line[0].isalpha())
    return {name: version for name, _, version in (line.partition("==") for line in lines)}


def test_that_there_is_no_bytecode_is_said_once_for_all_bundles(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A synthesis makes a bundle per function, and their dependencies."""
    monkeypatch.setattr(bytecode, "interpreter", lambda _: None)
    _warn_of_no_bytecode.cache_clear()
    for _ in range(5):
        HOST._compile(tmp_path)
    assert capsys.readouterr().err.count("No Python") == 1
