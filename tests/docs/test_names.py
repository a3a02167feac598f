"""Files, folders and modules that the documentation names exist."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.docs.blocks import ROOT

TRACKED = frozenset(
    subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
)
FOLDERS = frozenset(str(folder) for name in TRACKED for folder in Path(name).parents)
WRITTEN_ELSEWHERE = {"stack.json", "server.json", "endpoints.json", "aws-ses.yml"}  # at run time, or by other projects
_FILE = re.compile(r"[\w./-]+\.(?:py|toml|json|md|txt|in|yml|css|js|html|svg)")
_MODULE = re.compile(r"(?:benchmarks|docs|infra|lambdas|local|ops|tests)(?:[./][\w/.-]*)?")
_OTHERS = ("docs/examples/", "benchmarks/RESULTS.md", "CHANGELOG.md")  # other projects' files, and the past


def test_every_file_and_module_that_the_documentation_names_exists() -> None:
    """In backticks; a bare file name may be in any folder. The changelog may name what is gone."""
    pages = [name for name in TRACKED if name.endswith(".md") and not name.startswith(_OTHERS)]
    assert len(pages) > 40
    missing = [f"{page}: {name}" for page in sorted(pages) for name in _named(page) if not _exists(name)]
    assert missing == []


def _named(page: str) -> Iterator[str]:
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(), flags=re.DOTALL)
    for name in re.findall(r"`([^`\n]+)`", text):
        if _FILE.fullmatch(name) or _MODULE.fullmatch(name):
            yield name.rstrip("/")


def _exists(name: str) -> bool:
    if name in TRACKED or name in FOLDERS or name in WRITTEN_ELSEWHERE:
        return True
    if _FILE.fullmatch(name):
        return any(known.endswith(f"/{name}") for known in TRACKED)
    module, _, attribute = name.rpartition(".")
    return _is_module(name) or (_is_module(module) and attribute in _text(module))


def _is_module(name: str) -> bool:
    path = name.replace(".", "/")
    return f"{path}.py" in TRACKED or path in FOLDERS


def _text(module: str) -> str:
    path = ROOT / f"{module.replace('.', '/')}.py"
    return path.read_text() if path.is_file() else ""
