"""Log lines that cost little."""

from datetime import UTC, datetime

from lambdas.domain.log_lines import MAX_ROWS, compact, shared_lines


def test_a_line_is_json_without_blanks_and_escapes() -> None:
    """What JSON has no form for is written as text."""
    assert compact({"a": ["é", datetime(2026, 11, 21, tzinfo=UTC)]}) == '{"a":["é","2026-11-21 00:00:00+00:00"]}'


def test_rows_of_the_same_ids_stand_together_behind_them() -> None:
    """A hundred rows in a line, whoever's they are."""
    rows = [(("i1", "w1"), [number]) for number in range(99)] + [(("i1", "w2"), [number]) for number in range(3)]
    assert MAX_ROWS == 100
    assert list(shared_lines(rows)) == [
        [["i1", "w1", [[number] for number in range(99)]], ["i1", "w2", [[0]]]],
        [["i1", "w2", [[1], [2]]]],
    ]
    assert list(shared_lines([])) == []
