"""Evidence as CSV: complete, one line an entry, and nothing that a spreadsheet would run."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lambdas.domain.reputation.ledger import LedgerEntry, LedgerKind
from lambdas.portal.csv import evidence_csv, harmless

AT = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)
ENTRY = LedgerEntry(
    key="0100019a-feedback#0001",
    kind=LedgerKind.BOUNCE,
    bucket="2026-11-21T05",
    timestamp=AT,
    counted=1,
    message_id="0100019a-mail",
    reason="NoEmail",
    recipients=("ann@example.net", "bob@example.net"),
    sent_at=AT,
)


def rows(text: str) -> list[list[str]]:
    """As a spreadsheet reads it."""
    return list(csv.reader(io.StringIO(text, newline="")))


def test_an_entry_is_a_line_with_all_that_is_known_of_it() -> None:
    """Times in ISO 8601; the feedback id is the key's first part."""
    header, line = rows(evidence_csv([ENTRY]))
    assert dict(zip(header, line, strict=True)) == {
        "time": "2026-11-21T05:00:00+00:00",
        "kind": "bounce",
        "reason": "NoEmail",
        "counted": "1",
        "recipients": "ann@example.net bob@example.net",
        "message id": "0100019a-mail",
        "sent at": "2026-11-21T05:00:00+00:00",
        "feedback id": "0100019a-feedback",
    }


def test_what_is_unknown_is_empty() -> None:
    """SES leaves some of it out of some complaints."""
    unknown = replace(ENTRY, message_id=None, reason=None, recipients=(), sent_at=None)
    assert rows(evidence_csv([unknown]))[1][2:7] == ["", "1", "", "", ""]


def test_without_entries_there_is_the_header() -> None:
    """A file that opens."""
    assert len(rows(evidence_csv([]))) == 1


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "  =cmd|' /C calc'!A0",
        '=HYPERLINK("http://evil.example")',
    ],
)
def test_a_cell_that_a_spreadsheet_would_run_is_text(cell: str) -> None:
    """Also behind blanks, which some spreadsheets drop."""
    assert harmless(cell) == "'" + cell
    hostile = replace(ENTRY, reason=cell, recipients=(cell,), message_id=cell)
    for written in rows(evidence_csv([hostile]))[1]:
        assert not written.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


@pytest.mark.parametrize("cell", ["", "ann@example.net", "NoEmail", "1", "a=b", "2026-11-21"])
def test_a_cell_that_is_text_stays_as_it_is(cell: str) -> None:
    """No apostrophe that nobody needs."""
    assert harmless(cell) == cell


def test_quotes_commas_and_line_breaks_stay_in_their_cell() -> None:
    """A diagnostic may hold all of them."""
    reason = 'mailbox "full",\r\ntry later'
    assert rows(evidence_csv([replace(ENTRY, reason=reason)]))[1][2] == reason


def test_a_download_that_would_not_fit_an_answer_ends_with_a_line_that_says_so() -> None:
    """Entries of fifty recipients each: Lambda refuses an answer of more than 6 MB."""
    many = (replace(ENTRY, recipients=("a" * 60 + "@example.net",) * 50) for _ in range(20_000))
    text = evidence_csv(many)
    assert 4_000_000 < len(text.encode()) < 4_100_000
    assert "older entries are left out" in rows(text)[-1][0]
