"""docs/architecture.md against the code."""

import re

from tests.docs.blocks import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text()


def test_each_step_of_follow_one_bounce_names_files_that_exist() -> None:
    """Each file once, so that a reader meets it in one place."""
    table = PAGE.partition("## Follow one bounce")[2].partition("\n## ")[0]
    named = re.findall(r"`((?:infra|lambdas)/[\w/]+\.py)`", table)
    assert len(named) > 30
    assert len(set(named)) == len(named)
    assert [path for path in named if not (ROOT / path).is_file()] == []
