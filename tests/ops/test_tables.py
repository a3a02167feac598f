"""Tables at 80 and 120 columns, and in a pipe: an id is never broken."""

from datetime import UTC, datetime

import pytest

from ops.command_line.tables import Shown, facts, table

ID = "0b6f3c52-8d3e-4a51-9a44-2f7d1c9e5b10"
MAIL = "0100019aa0000000-11111111-2222-3333-4444-555555555555-000000"  # as long as SES's message ids are
ROW = {
    "instance": ID,
    "name": "my-mail",
    "webhook": "3f2a9c1e-53c1-4f0e-9b57-6a0b8f2d4e31",
    "message": MAIL,
    "health": Shown("failing", "yellow"),
    "answer": "busy",
    "nothing": None,
}


@pytest.mark.parametrize("width", [80, 120, None])
def test_ids_stay_whole_at_every_width(width: int | None) -> None:
    """A `grep` for an id finds it, and no line is longer than the terminal."""
    lines = table([ROW, ROW], width=width)
    for id_ in (ID, MAIL, ROW["webhook"]):
        assert sum(str(id_) in line for line in lines) == 2
    assert width is None or max(map(len, lines)) <= width


def test_a_pipe_gets_a_row_a_line_in_aligned_columns() -> None:
    """Without colours, boxes, or blanks at the end."""
    heading, first, second = table([{"a": 1, "long_name": "x"}, {"a": 22, "long_name": "[red]"}], width=None)
    assert (heading, first, second) == ("A   LONG NAME", "1   x", "22  [red]")


def test_a_table_that_fits_the_terminal_is_a_table_there_too() -> None:
    """Wider ones become a block a row; empty facts are left out of it."""
    row = {"instance": ID, "name": "my-mail", "admin": "", "webhook": ID, "url": "https://my-app.agency.gov/hooks"}
    assert len(table([row, row], width=200)) == 3
    assert table([row], width=80) == [
        f"instance: {ID}  name: my-mail",
        f"  webhook: {ID}",
        "  url: https://my-app.agency.gov/hooks",
    ]


def test_colours_are_for_terminals() -> None:
    """And do not disturb the columns."""
    plain, coloured = (table([ROW], width=None, colour=colour)[1] for colour in (False, True))
    assert "\x1b[33mfailing\x1b[0m" in coloured
    assert "\x1b" not in plain


def test_what_a_receiver_answered_cannot_drive_the_terminal() -> None:
    """Control characters, escapes and line ends."""
    (_, row) = table([{"answer": "a\x1b[2Jb\nc\td"}], width=None)
    assert row == "a�[2Jb c�d"


def test_facts_have_a_line_each_and_lists_one_for_each_entry() -> None:
    """Moments in UTC."""
    at = datetime(2026, 11, 21, 4, tzinfo=UTC)
    assert facts({"last_failure_at": at, "bindings": ["b1", "b2"], "none": [], "on": True}) == [
        "last failure at  2026-11-21 04:00:00Z",
        "bindings         b1",
        "                 b2",
        "none",
        "on               yes",
    ]
