"""Evidence as CSV, safe to open in a spreadsheet: a cell that one would run as a formula begins with an apostrophe.

OWASP, "CSV Injection": cells beginning with =, +, -, @, a tab or a carriage return.
"""

import csv
import io
from collections.abc import Iterable

from lambdas.domain.reputation.ledger import LedgerEntry

_RUN = ("=", "+", "-", "@", "\t", "\r", "\n")
MAX_CHARACTERS = 4_000_000  # Lambda answers with 6 MB at most, and JSON escapes some of them
_COLUMNS = ("time", "kind", "reason", "counted", "recipients", "message id", "sent at", "feedback id")


def evidence_csv(entries: Iterable[LedgerEntry], *, most: int = MAX_CHARACTERS) -> str:
    """A line an entry, with a header line; the last line says so if *most* characters did not hold them all."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(_COLUMNS)
    for entry in entries:
        if written.tell() > most:
            writer.writerow(["older entries are left out: ask the operator for them"])
            break
        cells = (
            entry.timestamp.isoformat(),
            entry.kind.value,
            entry.reason or "",
            entry.counted,
            " ".join(entry.recipients),
            entry.message_id or "",
            entry.sent_at.isoformat() if entry.sent_at else "",
            entry.key.partition("#")[0],
        )
        writer.writerow([harmless(str(cell)) for cell in cells])
    return written.getvalue()


def harmless(cell: str) -> str:
    """*cell* as text, whatever a spreadsheet makes of it."""
    return "'" + cell if cell.lstrip(" ").startswith(_RUN) else cell
