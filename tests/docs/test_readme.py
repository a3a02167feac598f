"""The README's links, which the site's build does not see."""

import re

from tests.docs.blocks import ROOT


def test_every_file_that_the_readme_links_to_exists() -> None:
    """Pages, folders and pictures."""
    found = re.findall(r"\]\((?!https?://)([^)#\s]+)", (ROOT / "README.md").read_text())
    assert len(found) > 15
    assert [path for path in found if not (ROOT / path).exists()] == []
