"""Log lines that cost little: CloudWatch Logs charges by the byte, and ids are most of what the functions log."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from operator import itemgetter

MAX_ROWS = 100  # in one line: with a webhook for each of three kinds it stays far below CloudWatch's 256 KB


def shared_lines(rows: Iterable[tuple[tuple[str, ...], Sequence[object]]]) -> Iterator[list[list[object]]]:
    """Rows with the ids of what they belong to, as lists of up to MAX_ROWS rows: [[*ids, [row, ...]], ...] each.

    Rows of the same ids follow each other.
    """
    remaining = iter(rows)
    while some := list(islice(remaining, MAX_ROWS)):
        yield [[*ids, [row for _, row in own]] for ids, own in groupby(some, key=itemgetter(0))]
