"""A picture of what a command showed, for the documentation."""

import re
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

WIDTH = 124  # columns: the longest line of a webhook, with its id
_FONT_FACE = re.compile(r"@font-face \{\{.*?\}\}\s*", re.DOTALL)


def recording_console() -> Console:
    """A console that also records its output."""
    return Console(record=True, highlight=False, width=WIDTH)


def save_picture(console: Console, path: Path) -> None:
    """Write the output of *console* as an SVG without external fonts, which rich's own template would load."""
    console.save_svg(str(path), title="make demo", code_format=_FONT_FACE.sub("", CONSOLE_SVG_FORMAT))
