"""Log lines that cost little."""

from lambdas.domain.log_lines import MAX_ROWS, shared_lines


def test_rows_of_the_same_ids_stand_together_behind_them() -> None:
    """A hundred rows in a line, of whatever webhooks."""
    rows = [(("i1", "w1"), [number]) for number in range(99)] + [(("i1", "w2"), [number]) for number in range(3)]
    assert MAX_ROWS == 100
    assert list(shared_lines(rows)) == [
        [["i1", "w1", [[number] for number in range(99)]], ["i1", "w2", [[0]]]],
        [["i1", "w2", [[1], [2]]]],
    ]
    assert list(shared_lines([])) == []
