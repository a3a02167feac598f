"""The command blocks of the README and of docs/: each is run by a test, or says why it is not.

A block is run on the embedded AWS unless the line before it is a comment:

    <!-- needs a real account: WHY -->          what no machine without AWS or a platform can do
    <!-- run by: PATH -->                       a test or script of this project runs these commands already

A page whose blocks all have one marker says so once, after its title: <!-- every block is run by: PATH -->, or
<!-- every block needs a real account: WHY -->.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(
    r"^[ \t]*(?:<!-- (?P<marker>[^\n]*) -->\n[ \t]*)?```(?:sh|bash|shell|console)\n(?P<text>.*?)^[ \t]*```$",
    re.MULTILINE | re.DOTALL,
)
_PAGE = re.compile(r"^<!-- every block (?:is )?((?:needs a real account|run by): [^\n]*) -->$", re.MULTILINE)
REAL_ACCOUNT, RUN_BY = "needs a real account: ", "run by: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block of commands: where it is, its marker (empty: it is run), and its commands, one each."""

    page: str
    line: int
    marker: str
    commands: tuple[str, ...]

    def __str__(self) -> str:
        """For the names of tests."""
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """The README and every page of docs/, except what the examples bring along."""
    found = [page for page in (ROOT / "docs").rglob("*.md") if "examples" not in page.parts]
    return [ROOT / "README.md", *sorted(found)]


def blocks() -> Iterator[Block]:
    """Every block of commands, page by page."""
    for page in pages():
        text = page.read_text()
        whole = _PAGE.search(text)
        for found in _BLOCK.finditer(text):
            yield Block(
                page=str(page.relative_to(ROOT)),
                line=text.count("\n", 0, found.start()) + 1,
                marker=found["marker"] or (whole[1] if whole else ""),
                commands=tuple(_commands(found["text"])),
            )


def _commands(text: str) -> Iterator[str]:
    """One command each: lines that end with a backslash, or inside quotes, go on."""
    command = ""
    for line in text.splitlines():
        command += ("\n" if command else "") + line.strip()
        if command.endswith("\\") or command.count("'") % 2:
            continue
        if command and not command.startswith("#"):
            yield command
        command = ""
    if command:
        yield command
