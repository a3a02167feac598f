"""Code blocks of the documentation that are no commands: Python compiles, JSON is JSON."""

import json
import re
from collections.abc import Iterator

import pytest

from tests.docs.blocks import ROOT, pages

_FENCED = re.compile(r"^```(python|json)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def code() -> Iterator[tuple[str, str, str]]:
    """Each block: where it is, its language, its text."""
    for page in pages():
        text = page.read_text()
        for found in _FENCED.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            yield f"{page.relative_to(ROOT)}:{line}", found[1], found[2]


@pytest.mark.parametrize(("where", "language", "text"), list(code()), ids=lambda value: value if ":" in value else "")
def test_a_block_of_code_is_well_formed(where: str, language: str, text: str) -> None:
    """The examples under docs/examples are run as a whole: see test_receivers.py and test_senders.py."""
    if language == "python":
        compile(text, where, "exec")
    else:
        assert json.loads(text) is not None


def test_the_documentation_has_code() -> None:
    """So that the test above tests something."""
    assert {language for _, language, _ in code()} == {"python", "json"}
