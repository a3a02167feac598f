"""What would change in the cloud: each way to deploy against its reviewed text."""

from dataclasses import fields

import pytest

from infra.context import Context
from tests.infra.snapshots import COMMAND, FOLDER, VARIANTS, difference, path_of, written
from tests.snapshots import hold

pytestmark = pytest.mark.xdist_group("infra")

_SHOWN_ELSEWHERE = {
    "bundle_platform",  # app.py alone reads it
    "runbook_url",  # a link in every alarm: tests/infra/test_runbooks.py
}


@pytest.mark.parametrize("name", VARIANTS)
def test_the_template_is_as_it_was_reviewed(name: str) -> None:
    """A change of infra/ shows here what it changes in the cloud; a wanted one is written by the command below."""
    hold(path_of(name), written(name), COMMAND)


def test_every_context_key_is_set_in_a_template() -> None:
    """A new key, too, shows what it changes."""
    shown = {key for variant in VARIANTS.values() for key in variant.keys}
    assert {field.name for field in fields(Context)} - shown == _SHOWN_ELSEWHERE


def test_each_text_belongs_to_a_variant() -> None:
    """One that is gone takes its text with it."""
    assert set(FOLDER.iterdir()) == {path_of(name) for name in VARIANTS}


def test_a_difference_names_what_was_added_removed_and_changed_with_the_lines_around() -> None:
    """By resource; what stayed as it is goes unsaid."""
    before = {"same": "same:\n  a: 1\n", "gone": "gone:\n  b: 2\n", "changed": "changed:\n  c: 3\n  d: 4\n"}
    after = {"same": "same:\n  a: 1\n", "changed": "changed:\n  c: 3\n  d: 5\n", "new": "new:\n  e: 6\n"}
    assert difference(before, after).splitlines() == [
        *("- gone", ""),
        *("changed", "  ...", "   c: 3", "-  d: 4", "+  d: 5", ""),
        *("+new:", "+  e: 6"),
    ]
